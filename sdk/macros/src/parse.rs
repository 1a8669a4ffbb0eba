//! The user's code: an `impl` block and its handlers.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Expr, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Lit, Meta, ReturnType, Type,
    spanned::Spanned,
};

use crate::options::{Attributes, Case};

/// What the macro turns the block into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Service,
    Object,
    Workflow,
}

/// The kind of a handler, which its context determines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandlerKind {
    Plain,
    Exclusive,
    Shared,
    Run,
}

pub(crate) struct Block {
    pub(crate) kind: Kind,
    /// The user's type as written; `ident` is the last segment of its path.
    pub(crate) ty: Type,
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) docs: Option<String>,
    pub(crate) options: Attributes,
    pub(crate) handlers: Vec<Handler>,
    /// The block without `#[handler]` attributes.
    pub(crate) item: ItemImpl,
}

pub(crate) struct Handler {
    pub(crate) kind: HandlerKind,
    pub(crate) function: Ident,
    pub(crate) name: String,
    pub(crate) docs: Option<String>,
    pub(crate) options: Attributes,
    pub(crate) context: Type,
    /// Name and type of the argument, if there is one.
    pub(crate) argument: Option<(Ident, Type)>,
    /// The return type of the function.
    pub(crate) output: Type,
}

impl Block {
    pub(crate) fn parse(kind: Kind, options: Attributes, mut item: ItemImpl) -> syn::Result<Self> {
        if let Some((_, path, _)) = &item.trait_ {
            return Err(syn::Error::new(
                path.span(),
                "handlers must be in an impl block without a trait",
            ));
        }
        let is_plain = item.generics.params.is_empty();
        let ty = (*item.self_ty).clone();
        let Some(ident) = named(&ty).filter(|_| is_plain) else {
            let message = "handlers must be in an impl block of a struct or enum without generics";
            return Err(syn::Error::new(ty.span(), message));
        };
        if kind != Kind::Workflow
            && let Some((at, _)) = &options.retention
        {
            return Err(not_a_workflow(at));
        }
        let mut handlers = Vec::new();
        let mut faults: Option<syn::Error> = None;
        for member in &mut item.items {
            let ImplItem::Fn(function) = member else { continue };
            match Handler::parse(kind, options.rename_all, &ty, function) {
                Ok(handler) => handlers.extend(handler),
                Err(error) => match &mut faults {
                    Some(faults) => faults.combine(error),
                    None => faults = Some(error),
                },
            }
        }
        if let Some(faults) = faults {
            return Err(faults);
        }
        if handlers.is_empty() {
            let message = format!(
                "there is no handler: a handler is a `pub async fn` that takes {} after &self",
                contexts(kind)
            );
            return Err(syn::Error::new(ty.span(), message));
        }
        let runs: Vec<_> = handlers.iter().filter(|one| one.kind == HandlerKind::Run).collect();
        if kind == Kind::Workflow && runs.len() != 1 {
            let message =
                "a workflow must have exactly one handler that takes a &WorkflowContext: its run";
            let at = runs.get(1).map_or_else(|| ty.span(), |second| second.function.span());
            return Err(syn::Error::new(at, message));
        }
        let name = options.name.as_ref().map_or_else(|| ident.to_string(), syn::LitStr::value);
        let docs = docs(&item.attrs);
        Ok(Self { kind, ty, ident, name, docs, options, handlers, item })
    }
}

/// The last path segment of a type that is a path.
fn named(ty: &Type) -> Option<Ident> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last().map(|segment| segment.ident.clone())
}

fn not_a_workflow(at: &Ident) -> syn::Error {
    let message = "retention applies only to the result of a workflow's run; for other handlers use \
                   journal_retention and idempotency_retention";
    syn::Error::new(at.span(), message)
}

fn contexts(kind: Kind) -> &'static str {
    match kind {
        Kind::Service => "a `&Context`",
        Kind::Object => "an `&ObjectContext` (a writer) or a `&SharedObjectContext` (a reader)",
        Kind::Workflow => "a `&WorkflowContext` (its run) or a `&SharedWorkflowContext`",
    }
}

impl Handler {
    /// Parses a handler; `None` for a function that is not one.
    fn parse(
        kind: Kind,
        rename_all: Option<Case>,
        ty: &Type,
        function: &mut ImplItemFn,
    ) -> syn::Result<Option<Self>> {
        let options = take_options(&mut function.attrs)?;
        let is_public = !matches!(function.vis, syn::Visibility::Inherited);
        let signature = &function.sig;
        let mut inputs = signature.inputs.iter();
        let receiver = inputs.next();
        let context = inputs.next().and_then(context_of);
        let is_handler = is_public && signature.asyncness.is_some() && context.is_some();
        if !is_handler {
            let Some((_, at)) = options else { return Ok(None) };
            let message =
                format!("a handler is a `pub async fn` that takes {} after &self", contexts(kind));
            return Err(syn::Error::new(at, message));
        }
        let Some((context, context_name)) = context else { return Ok(None) };
        match receiver {
            Some(FnArg::Receiver(receiver))
                if receiver.reference.is_some() && receiver.mutability.is_none() => {}
            other => {
                let message = "a handler must take &self, because many attempts share the value";
                return Err(syn::Error::new(other.span(), message));
            }
        }
        let handler_kind = match (kind, context_name.to_string().as_str()) {
            (Kind::Service, "Context") => HandlerKind::Plain,
            (Kind::Object, "ObjectContext") => HandlerKind::Exclusive,
            (Kind::Object, "SharedObjectContext") | (Kind::Workflow, "SharedWorkflowContext") => {
                HandlerKind::Shared
            }
            (Kind::Workflow, "WorkflowContext") => HandlerKind::Run,
            _ => {
                let message = format!("a handler here takes {}", contexts(kind));
                return Err(syn::Error::new(context.span(), message));
            }
        };
        let argument = inputs.next().map(|argument| argument_of(argument, ty)).transpose()?;
        if let Some(second) = inputs.next() {
            let message = "a handler takes one argument; put several into a struct";
            return Err(syn::Error::new(second.span(), message));
        }
        if !signature.generics.params.is_empty() {
            let message = "a handler cannot have generics, because it is called over the network";
            return Err(syn::Error::new(signature.generics.span(), message));
        }
        let ReturnType::Type(_, output) = &signature.output else {
            let message = "a handler returns a Result, like `-> Result<()>`";
            return Err(syn::Error::new(signature.ident.span(), message));
        };
        if let Some(cfg) = function.attrs.iter().find(|one| one.path().is_ident("cfg")) {
            let message =
                "a handler cannot depend on a cfg; put the cfg on an impl block of its own";
            return Err(syn::Error::new(cfg.span(), message));
        }
        let options = options.map(|(options, _)| options).unwrap_or_default();
        if handler_kind != HandlerKind::Run
            && let Some((at, _)) = &options.retention
        {
            return Err(not_a_workflow(at));
        }
        let own = signature.ident.to_string();
        let own = own.strip_prefix("r#").unwrap_or(&own);
        let name = match (&options.name, rename_all) {
            (Some(name), _) => name.value(),
            (None, Some(case)) => case.apply(own),
            (None, None) => own.to_owned(),
        };
        Ok(Some(Self {
            kind: handler_kind,
            function: signature.ident.clone(),
            name,
            docs: docs(&function.attrs),
            options,
            context,
            argument,
            output: without_self(output, ty)?,
        }))
    }
}

/// The type behind a reference, and its name, if that ends in `Context`.
fn context_of(argument: &FnArg) -> Option<(Type, Ident)> {
    let FnArg::Typed(typed) = argument else { return None };
    let Type::Reference(reference) = &*typed.ty else { return None };
    let name = named(&reference.elem)?;
    name.to_string().ends_with("Context").then(|| ((*reference.elem).clone(), name))
}

fn argument_of(argument: &FnArg, ty: &Type) -> syn::Result<(Ident, Type)> {
    let FnArg::Typed(typed) = argument else {
        return Err(syn::Error::new(argument.span(), "an argument must have a type"));
    };
    if let Type::Reference(reference) = &*typed.ty {
        let message = "the argument comes over the network, so take it by value";
        return Err(syn::Error::new(reference.span(), message));
    }
    let name = if let syn::Pat::Ident(name) = &*typed.pat { Some(&name.ident) } else { None };
    // A name that is meaningless, or that the generated code uses itself, is replaced by a plain
    // one.
    let is_usable = |name: &&Ident| {
        let text = name.to_string();
        !text.starts_with('_') && !text.starts_with("r#") && text != "ctx"
    };
    let name = name.filter(is_usable).cloned();
    let name = name.unwrap_or_else(|| Ident::new("argument", typed.pat.span()));
    Ok((name, without_self(&typed.ty, ty)?))
}

/// Rewrites a type for use outside the block, where `Self` is another type.
fn without_self(of: &Type, ty: &Type) -> syn::Result<Type> {
    fn replace(tokens: TokenStream, ty: &TokenStream) -> TokenStream {
        let replaced = tokens.into_iter().map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => ty.clone(),
            TokenTree::Group(group) => {
                let inner = replace(group.stream(), ty);
                TokenTree::Group(Group::new(group.delimiter(), inner)).into()
            }
            other @ (TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_)) => {
                other.into()
            }
        });
        replaced.collect()
    }
    syn::parse2(replace(of.to_token_stream(), &ty.to_token_stream()))
}

/// Removes `#[handler(…)]` from a function, and returns its options and location.
fn take_options(
    attributes: &mut Vec<Attribute>,
) -> syn::Result<Option<(Attributes, proc_macro2::Span)>> {
    let Some(at) = attributes.iter().position(|one| one.path().is_ident("handler")) else {
        return Ok(None);
    };
    let attribute = attributes.remove(at);
    let options = match &attribute.meta {
        Meta::Path(_) => Attributes::default(),
        Meta::List(list) => list.parse_args()?,
        Meta::NameValue(pair) => {
            return Err(syn::Error::new(pair.span(), "write #[handler(…)]"));
        }
    };
    Ok(Some((options, attribute.path().span())))
}

/// The block without `#[handler]` attributes.
pub(crate) fn without_attributes(mut item: ItemImpl) -> ItemImpl {
    for member in &mut item.items {
        if let ImplItem::Fn(function) = member {
            function.attrs.retain(|attribute| !attribute.path().is_ident("handler"));
        }
    }
    item
}

/// The text of the doc comments, if any.
fn docs(attributes: &[Attribute]) -> Option<String> {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &pair.value else { return None };
        let Lit::Str(text) = &literal.lit else { return None };
        pair.path.is_ident("doc").then(|| text.value().trim().to_owned())
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    (!text.is_empty()).then_some(text)
}
