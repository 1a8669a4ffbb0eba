//! The generated code: the block itself, a description, a dispatcher, and typed requests.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;

use crate::{
    options::Attributes,
    parse::{Block, Handler, HandlerKind, Kind},
};

pub(crate) fn expand(block: &Block) -> TokenStream {
    let item = &block.item;
    let definition = definition(block);
    let requests = requests(block);
    let addressing = addressing(block);
    quote! {
        // `pub` marks a function as a handler, even if its type is not visible elsewhere.
        #[allow(unreachable_pub)]
        #item

        // The request type is named through `Definition`, so that its own name cannot collide.
        const _: () = {
            #definition
            #requests
            #addressing
        };
    }
}

fn request_type(block: &Block) -> Ident {
    format_ident!("RequestTo{}", block.ident)
}

fn definition(block: &Block) -> TokenStream {
    let (ty, name, request) = (&block.ty, &block.name, request_type(block));
    let sites = block.handlers.iter().map(site);
    let service_ty = match block.kind {
        Kind::Service => quote!(Service),
        Kind::Object => quote!(VirtualObject),
        Kind::Workflow => quote!(Workflow),
    };
    let options = options(&block.options, block.docs.as_deref(), None);
    let handlers = block.handlers.iter().map(|handler| describe(block, handler));
    let arms = block.handlers.iter().enumerate().map(|(index, handler)| dispatch(index, handler));
    quote! {
        impl ::abide_sdk::Definition for #ty {
            const NAME: &'static str = #name;
            const HANDLERS: &'static [::abide_sdk::rt::HandlerSite] = &[#(#sites),*];

            type Request<M> = #request<M>;

            fn describe() -> ::abide_sdk::rt::discovery::Service {
                ::abide_sdk::rt::discovery::Service {
                    name: #name.to_owned(),
                    ty: ::abide_sdk::rt::discovery::ServiceType::#service_ty,
                    handlers: ::std::vec![#(#handlers),*],
                    options: #options,
                }
            }

            fn handle(
                self: ::std::sync::Arc<Self>,
                handler: usize,
                ctx: ::abide_sdk::rt::Context,
            ) -> ::abide_sdk::rt::BoxFuture<
                'static,
                ::std::result::Result<::abide_sdk::rt::Bytes, ::abide_sdk::rt::HandlerError>,
            > {
                ::std::boxed::Box::pin(async move {
                    match handler {
                        #(#arms)*
                        _ => ::std::result::Result::Err("there is no such handler".into()),
                    }
                })
            }
        }
    }
}

/// A handler's name, and the source location of its function.
fn site(handler: &Handler) -> TokenStream {
    let span = handler.function.span().unwrap();
    let (name, line) = (&handler.name, format!("{}:{}", span.file(), span.line()));
    quote!(::abide_sdk::rt::HandlerSite { name: #name, line: #line })
}

fn describe(block: &Block, handler: &Handler) -> TokenStream {
    let name = &handler.name;
    let ty = match handler.kind {
        HandlerKind::Plain => quote!(::std::option::Option::None),
        HandlerKind::Exclusive => some_type(&quote!(Exclusive)),
        HandlerKind::Shared => some_type(&quote!(Shared)),
        HandlerKind::Run => some_type(&quote!(Workflow)),
    };
    let input = match &handler.argument {
        None => quote!(::abide_sdk::rt::discovery::InputPayload::default()),
        Some((_, argument)) => {
            let schema = schema(&quote!(#argument));
            quote!(::abide_sdk::rt::input::<#argument>(#schema))
        }
    };
    let value = value_type(handler);
    let output_schema = schema(&value);
    let retention = match handler.kind {
        HandlerKind::Run => handler.options.retention.as_ref().or(block.options.retention.as_ref()),
        HandlerKind::Plain | HandlerKind::Exclusive | HandlerKind::Shared => None,
    };
    let retention = retention.map(|(_, ms)| *ms);
    let options = options(&handler.options, handler.docs.as_deref(), retention);
    quote! {
        ::abide_sdk::rt::discovery::Handler {
            name: #name.to_owned(),
            ty: #ty,
            input: ::std::option::Option::Some(#input),
            output: ::std::option::Option::Some(::abide_sdk::rt::output::<#value>(#output_schema)),
            options: #options,
        }
    }
}

fn some_type(variant: &TokenStream) -> TokenStream {
    quote!(::std::option::Option::Some(::abide_sdk::rt::discovery::HandlerType::#variant))
}

fn value_type(handler: &Handler) -> TokenStream {
    let output = &handler.output;
    quote!(<#output as ::abide_sdk::rt::HandlerResult>::Value)
}

/// The schema of a type, if it has one: method lookup first finds the method that takes the
/// receiver as it is.
fn schema(ty: &TokenStream) -> TokenStream {
    quote!({
        #[allow(unused_imports)]
        use ::abide_sdk::rt::{WithSchema as _, WithoutSchema as _};
        (&&::abide_sdk::rt::Probe::<#ty>(::std::marker::PhantomData)).schema()
    })
}

fn options(options: &Attributes, docs: Option<&str>, retention: Option<u64>) -> TokenStream {
    let settings = options
        .settings
        .iter()
        .map(|(field, value)| quote!(options.#field = ::std::option::Option::Some(#value);));
    let docs = docs
        .map(|docs| quote!(options.documentation = ::std::option::Option::Some(#docs.to_owned());));
    let metadata = options
        .metadata
        .iter()
        .map(|(key, value)| quote!(options.metadata.insert(#key.to_owned(), #value.to_owned());));
    let validation = options.input_validation.as_ref().map(|mode| {
        quote!(options.metadata.insert(
            ::abide_sdk::rt::discovery::INPUT_VALIDATION.to_owned(),
            #mode.to_owned(),
        );)
    });
    let retention = retention.map(
        |ms| quote!(options.workflow_completion_retention = ::std::option::Option::Some(#ms);),
    );
    quote!({
        #[allow(unused_mut)]
        let mut options = ::abide_sdk::rt::discovery::Options::default();
        #(#settings)*
        #docs
        #(#metadata)*
        #validation
        #retention
        options
    })
}

fn dispatch(index: usize, handler: &Handler) -> TokenStream {
    let (context, function) = (&handler.context, &handler.function);
    let (input, argument) = match &handler.argument {
        None => (quote!(), quote!()),
        Some((_, ty)) => (quote!(let input: #ty = ctx.input()?;), quote!(, input)),
    };
    quote! {
        #index => {
            let ctx: #context = ctx.into();
            #input
            let value = Self::#function(&self, &ctx #argument).await?;
            ::abide_sdk::rt::answer(&value)
        }
    }
}

/// The request type, with one method per handler for each way of sending.
fn requests(block: &Block) -> TokenStream {
    let (ident, request) = (&block.ident, request_type(block));
    let calls =
        block.handlers.iter().map(|handler| in_handler(handler, &quote!(::abide_sdk::rt::Call)));
    let sends =
        block.handlers.iter().map(|handler| in_handler(handler, &quote!(::abide_sdk::rt::Sent)));
    let direct_calls = block.handlers.iter().map(|handler| {
        let value = value_type(handler);
        direct(handler, &value)
    });
    let direct_sends = block.handlers.iter().map(|handler| {
        let value = value_type(handler);
        direct(handler, &quote!(::abide_sdk::rt::IngressInvocation<'i, #value>))
    });
    let (in_handler_answers, direct_answers) = (answers(block, true), answers(block, false));
    let doc = format!("A request to [`{ident}`]: with one method per handler.");
    quote! {
        #[doc = #doc]
        #[allow(unreachable_pub)]
        pub struct #request<M>(::abide_sdk::rt::Request<M>);

        impl<M> ::std::convert::From<::abide_sdk::rt::Request<M>> for #request<M> {
            fn from(request: ::abide_sdk::rt::Request<M>) -> Self {
                Self(request)
            }
        }

        impl<M> ::abide_sdk::RequestOptions for #request<M> {
            fn parts_mut(&mut self) -> &mut ::abide_sdk::rt::Parts {
                ::abide_sdk::RequestOptions::parts_mut(&mut self.0)
            }
        }

        impl ::abide_sdk::SendOptions for #request<::abide_sdk::rt::InHandler> {
            type OneWay = #request<::abide_sdk::rt::OneWay>;

            fn after(self, delay: ::std::time::Duration) -> Self::OneWay {
                #request(::abide_sdk::SendOptions::after(self.0, delay))
            }
        }

        impl<'i> ::abide_sdk::SendOptions for #request<::abide_sdk::rt::Direct<'i>> {
            type OneWay = #request<::abide_sdk::rt::DirectOneWay<'i>>;

            fn after(self, delay: ::std::time::Duration) -> Self::OneWay {
                #request(::abide_sdk::SendOptions::after(self.0, delay))
            }
        }

        #[allow(dead_code, private_interfaces, unreachable_pub)]
        impl #request<::abide_sdk::rt::InHandler> {
            #(#calls)*
            #in_handler_answers
        }

        #[allow(dead_code, private_interfaces, unreachable_pub)]
        impl #request<::abide_sdk::rt::OneWay> {
            #(#sends)*
        }

        #[allow(dead_code, private_interfaces, unreachable_pub)]
        impl<'i> #request<::abide_sdk::rt::Direct<'i>> {
            #(#direct_calls)*
            #direct_answers
        }

        #[allow(dead_code, private_interfaces, unreachable_pub)]
        impl<'i> #request<::abide_sdk::rt::DirectOneWay<'i>> {
            #(#direct_sends)*
        }
    }
}

fn docs(handler: &Handler) -> TokenStream {
    let fallback = || format!("Sends to the handler `{}`.", handler.name);
    let docs = handler.docs.clone().unwrap_or_else(fallback);
    quote!(#[doc = #docs])
}

fn argument(handler: &Handler) -> (TokenStream, TokenStream) {
    match &handler.argument {
        None => (quote!(), quote!(())),
        Some((name, ty)) => (quote!(, #name: #ty), quote!(#name)),
    }
}

fn in_handler(handler: &Handler, answer: &TokenStream) -> TokenStream {
    let (function, name, value) = (&handler.function, &handler.name, value_type(handler));
    let (parameter, argument) = argument(handler);
    let docs = docs(handler);
    quote! {
        #docs
        #[track_caller]
        pub fn #function<'c>(self, ctx: &'c ::abide_sdk::rt::Context #parameter) -> #answer<'c, #value> {
            self.0.call(ctx, #name, &#argument)
        }
    }
}

fn direct(handler: &Handler, answer: &TokenStream) -> TokenStream {
    let (function, name) = (&handler.function, &handler.name);
    let (parameter, argument) = argument(handler);
    let docs = docs(handler);
    quote! {
        #docs
        ///
        /// # Errors
        /// Returns the callee's failure, or an error if the request fails.
        pub async fn #function(self #parameter)
            -> ::std::result::Result<#answer, ::abide_sdk::rt::ClientError>
        {
            self.0.call(#name, #argument).await
        }
    }
}

/// Whether the type is addressed by a key.
fn addressing(block: &Block) -> TokenStream {
    let ty = &block.ty;
    match block.kind {
        Kind::Service => quote!(impl ::abide_sdk::Service for #ty {}),
        Kind::Object => quote!(impl ::abide_sdk::Keyed for #ty {}),
        Kind::Workflow => quote! {
            impl ::abide_sdk::Keyed for #ty {}
            impl ::abide_sdk::Workflow for #ty {}
        },
    }
}

/// Methods for the result of a workflow. A handler of the same name takes precedence.
fn answers(block: &Block, in_handler: bool) -> TokenStream {
    let run = block.handlers.iter().find(|handler| handler.kind == HandlerKind::Run);
    let Some(value) = run.map(value_type) else { return quote!() };
    let is_free = |name: &str| !block.handlers.iter().any(|handler| handler.function == name);
    let attach = is_free("attach").then(|| {
        if in_handler {
            quote! {
                /// Waits until the workflow's `run` completes, and returns its result.
                #[track_caller]
                pub fn attach(self, ctx: &::abide_sdk::rt::Context) -> ::abide_sdk::rt::Durable<'_, #value> {
                    self.0.attach(ctx)
                }
            }
        } else {
            quote! {
                /// Waits until the workflow's `run` completes, and returns its result.
                ///
                /// # Errors
                /// Returns the workflow's failure, or an error if there is no such workflow or the
                /// request fails.
                pub async fn attach(self) -> ::std::result::Result<#value, ::abide_sdk::rt::ClientError> {
                    self.0.attach().await
                }
            }
        }
    });
    let output = is_free("output").then(|| {
        let value = quote!(::std::option::Option<#value>);
        if in_handler {
            quote! {
                /// The result of the workflow's `run` if it has completed, `None` otherwise.
                #[track_caller]
                pub fn output(self, ctx: &::abide_sdk::rt::Context) -> ::abide_sdk::rt::Durable<'_, #value> {
                    self.0.output(ctx)
                }
            }
        } else {
            quote! {
                /// The result of the workflow's `run` if it has completed, `None` otherwise.
                ///
                /// # Errors
                /// Returns the workflow's failure, or an error if there is no such workflow or the
                /// request fails.
                pub async fn output(self) -> ::std::result::Result<#value, ::abide_sdk::rt::ClientError> {
                    self.0.output().await
                }
            }
        }
    });
    quote!(#attach #output)
}
