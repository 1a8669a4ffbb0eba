//! The arguments of the attribute macros.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Ident, LitFloat, LitInt, LitStr, Token, parenthesized,
    parse::{Parse, ParseStream},
};

use crate::duration::parse_ms;

/// The parsed arguments of `#[service(…)]`, `#[object(…)]`, `#[workflow(…)]`, and `#[handler(…)]`.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) name: Option<LitStr>,
    pub(crate) rename_all: Option<Case>,
    /// Assignments to fields of the description's options: the field, and the value as tokens.
    pub(crate) settings: Vec<(Ident, TokenStream)>,
    pub(crate) metadata: Vec<(String, LitStr)>,
    /// Whether the runtime checks inputs against their schema: `strict` or `off`.
    pub(crate) input_validation: Option<LitStr>,
    /// The `retention` argument and its milliseconds: how long to keep the result of a workflow.
    /// Only `run` has this setting.
    pub(crate) retention: Option<(Ident, u64)>,
}

/// How function names become handler names.
#[derive(Clone, Copy)]
pub(crate) enum Case {
    Snake,
    Camel,
    Pascal,
}

impl Case {
    fn parse(literal: &LitStr) -> syn::Result<Self> {
        match literal.value().as_str() {
            "snake_case" => Ok(Self::Snake),
            "camelCase" => Ok(Self::Camel),
            "PascalCase" => Ok(Self::Pascal),
            other => {
                let message = format!("'{other}' is not one of snake_case, camelCase, PascalCase");
                Err(syn::Error::new(literal.span(), message))
            }
        }
    }

    pub(crate) fn apply(self, name: &str) -> String {
        let mut words = name.split('_').filter(|word| !word.is_empty());
        let capital = |word: &str| {
            let mut chars = word.chars();
            let first = chars.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(chars).collect::<String>()
        };
        match self {
            Self::Snake => name.to_owned(),
            Self::Camel => {
                let first = words.next().unwrap_or_default().to_owned();
                words.fold(first, |text, word| text + &capital(word))
            }
            Self::Pascal => words.map(capital).collect(),
        }
    }
}

const KNOWN: &str = "name, rename_all, private, lazy_state, inactivity_timeout, abort_timeout, \
                     journal_retention, idempotency_retention, retention, input_validation, retry(…), \
                     metadata(…)";

impl Parse for Attributes {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            options.parse_one(&name, input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Attributes {
    fn parse_one(&mut self, name: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match name.to_string().as_str() {
            "name" => self.name = Some(value(input)?),
            "rename_all" => self.rename_all = Some(Case::parse(&value(input)?)?),
            "private" => self.set(name, "ingress_private", quote!(true)),
            "lazy_state" => self.set(name, "enable_lazy_state", quote!(true)),
            "inactivity_timeout"
            | "abort_timeout"
            | "journal_retention"
            | "idempotency_retention" => {
                let ms = parse_ms(&value(input)?)?;
                self.set(name, &name.to_string(), quote!(#ms));
            }
            "retention" => self.retention = Some((name.clone(), parse_ms(&value(input)?)?)),
            "input_validation" => {
                let mode: LitStr = value(input)?;
                if !["strict", "off"].contains(&mode.value().as_str()) {
                    let message = format!("'{}' is neither strict nor off", mode.value());
                    return Err(syn::Error::new(mode.span(), message));
                }
                self.input_validation = Some(mode);
            }
            "retry" => {
                let content;
                parenthesized!(content in input);
                self.parse_retry(&content)?;
            }
            "metadata" => {
                let content;
                parenthesized!(content in input);
                while !content.is_empty() {
                    let key: Ident = content.parse()?;
                    self.metadata.push((key.to_string(), value(&content)?));
                    if !content.is_empty() {
                        content.parse::<Token![,]>()?;
                    }
                }
            }
            other => {
                let message = format!("unknown argument '{other}'; expected one of {KNOWN}");
                return Err(syn::Error::new(name.span(), message));
            }
        }
        Ok(())
    }

    fn parse_retry(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            match name.to_string().as_str() {
                "initial" => {
                    let ms = parse_ms(&value(input)?)?;
                    self.set(&name, "retry_policy_initial_interval", quote!(#ms));
                }
                "max_interval" => {
                    let ms = parse_ms(&value(input)?)?;
                    self.set(&name, "retry_policy_max_interval", quote!(#ms));
                }
                "factor" => {
                    input.parse::<Token![=]>()?;
                    let factor: LitFloat = input.parse().map_err(|error| {
                        syn::Error::new(
                            error.span(),
                            "a factor must have a decimal point, like 2.0",
                        )
                    })?;
                    let factor: f64 = factor.base10_parse()?;
                    self.set(&name, "retry_policy_exponentiation_factor", quote!(#factor));
                }
                "max_attempts" => {
                    input.parse::<Token![=]>()?;
                    let attempts: u32 = input.parse::<LitInt>()?.base10_parse()?;
                    self.set(&name, "retry_policy_max_attempts", quote!(#attempts));
                }
                "on_max_attempts" => {
                    let literal: LitStr = value(input)?;
                    let what = match literal.value().as_str() {
                        "pause" => quote!(::abide_sdk::rt::discovery::OnMaxAttempts::Pause),
                        "kill" => quote!(::abide_sdk::rt::discovery::OnMaxAttempts::Kill),
                        other => {
                            let message =
                                format!("'{other}' is not valid here; expected pause or kill");
                            return Err(syn::Error::new(literal.span(), message));
                        }
                    };
                    self.set(&name, "retry_policy_on_max_attempts", what);
                }
                other => {
                    let message = format!(
                        "'{other}' is not an argument of retry; expected one of initial, factor, max_interval, \
                         max_attempts, on_max_attempts"
                    );
                    return Err(syn::Error::new(name.span(), message));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    fn set(&mut self, at: &Ident, field: &str, value: TokenStream) {
        self.settings.push((Ident::new(field, at.span()), value));
    }
}

fn value<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}
