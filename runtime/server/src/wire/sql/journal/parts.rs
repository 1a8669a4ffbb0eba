//! The parts of journal entries as JSON: values, results, headers, what a call is for.

use bytes::Bytes;
use protocol::{
    HandlerKind, ServiceKind, TerminalFailure,
    journal::{CallRequest, InvocationTarget, NotificationResult, notification::SignalId},
};
use runtime_core::registry::RegistrySnapshot;
use runtime_schema::headers;

use super::json::{Json, Room};

/// How much of an entry to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// All of it.
    Full,
    /// No values and no headers: what is needed to follow an invocation.
    Lite,
}

/// Writes the parts of one entry.
pub(super) struct Parts<'r> {
    detail: Detail,
    room: Room,
    /// It knows what kind of service a call is for.
    registry: &'r RegistrySnapshot,
}

/// A field with its name; `None` if it is left out.
pub(super) type Field<'a> = (&'static str, Option<Json<'a>>);

pub(super) fn object<'a>(fields: impl IntoIterator<Item = Field<'a>>) -> Json<'a> {
    Json::Object(fields.into_iter().filter_map(|(name, it)| Some((name, it?))).collect())
}

pub(super) fn number<'a>(number: impl Into<u64>) -> Option<Json<'a>> {
    Some(Json::Number(number.into()))
}

impl<'r> Parts<'r> {
    pub(super) fn new(detail: Detail, registry: &'r RegistrySnapshot) -> Self {
        Self { detail, room: Room::for_entry(), registry }
    }

    /// What only the full entry has.
    fn if_full<'a>(&mut self, json: impl FnOnce(&mut Room) -> Json<'a>) -> Option<Json<'a>> {
        (self.detail == Detail::Full).then(|| json(&mut self.room))
    }

    pub(super) fn name<'a>(&mut self, name: &str) -> Option<Json<'a>> {
        let is_shown = self.detail == Detail::Full || !name.is_empty();
        is_shown.then(|| self.room.text(name))
    }

    pub(super) fn text<'a>(&mut self, text: &str) -> Option<Json<'a>> {
        Some(self.room.text(text))
    }

    pub(super) fn key<'a>(&mut self, key: &'a Bytes) -> Option<Json<'a>> {
        Some(self.room.text_or_bytes(key))
    }

    pub(super) fn value<'a>(&mut self, value: &'a Bytes) -> Option<Json<'a>> {
        self.if_full(|room| room.bytes(value))
    }

    /// What may be a credential is masked, as in the admin API.
    pub(super) fn headers<'a>(&mut self, headers: &'a [(String, String)]) -> Option<Json<'a>> {
        self.if_full(|room| {
            room.list(headers, |room, (name, value)| {
                let value = room.text(headers::shown(name, value));
                object([("name", Some(room.text(name))), ("value", Some(value))])
            })
        })
    }

    pub(super) fn state_keys<'a>(&mut self, keys: &'a [Bytes]) -> Option<Json<'a>> {
        self.if_full(|room| room.list(keys, |room, key| room.text_or_bytes(key)))
    }

    pub(super) fn outcome<'a>(
        &mut self,
        result: &'a Result<Bytes, TerminalFailure>,
    ) -> Option<Json<'a>> {
        Some(match result {
            Ok(value) => self.success(value),
            Err(failure) => self.failure(failure),
        })
    }

    pub(super) fn result<'a>(&mut self, result: &'a NotificationResult) -> Json<'a> {
        match result {
            NotificationResult::Void => Json::word("Void"),
            NotificationResult::Value(value) => self.success(value),
            NotificationResult::Failure(failure) => self.failure(failure),
            NotificationResult::InvocationId(_) => Json::word("InvocationId"),
            NotificationResult::StateKeys(_) => Json::word("StateKeys"),
        }
    }

    /// The value of a state key, if it has one.
    pub(super) fn state<'a>(&mut self, value: Option<&'a Bytes>) -> Json<'a> {
        value.map_or_else(|| Json::word("Void"), |value| self.success(value))
    }

    fn success<'a>(&mut self, value: &'a Bytes) -> Json<'a> {
        match self.value(value) {
            Some(value) => Json::variant("Success", value),
            None => Json::word("Success"),
        }
    }

    fn failure<'a>(&mut self, failure: &'a TerminalFailure) -> Json<'a> {
        let content = self.if_full(|room| {
            let message = room.text(&failure.message);
            let metadata = (!failure.metadata.is_empty()).then(|| {
                room.list(&failure.metadata, |room, (key, value)| {
                    object([("key", Some(room.text(key))), ("value", Some(room.text(value)))])
                })
            });
            object([
                ("code", number(failure.code)),
                ("message", Some(message)),
                ("metadata", metadata),
            ])
        });
        match content {
            Some(content) => Json::variant("Failure", content),
            None => Json::word("Failure"),
        }
    }

    /// In full, what a call sends is a field of its own; otherwise there is only its target.
    pub(super) fn request<'a>(&mut self, request: &'a CallRequest) -> Field<'a> {
        let target = Some(self.target(request));
        if self.detail == Detail::Lite {
            return ("invocation_target", target);
        }
        let idempotency_key = self.option(request.idempotency_key.as_deref());
        let limit_key = request.limit_key.as_ref().map(|key| self.room.text(key));
        let fields = object([
            ("invocation_target", target),
            ("parameter", self.value(&request.parameter)),
            ("headers", self.headers(&request.headers)),
            ("idempotency_key", Some(idempotency_key)),
            ("limit_key", limit_key),
        ]);
        ("request", Some(fields))
    }

    /// Entries don't say what kind of service a call is for. If it is not registered any longer, one
    /// with a key is shown as a virtual object.
    fn target<'a>(&mut self, request: &'a CallRequest) -> Json<'a> {
        let service = self.registry.service(&request.service);
        let kind = match service.map(|service| service.definition().kind) {
            Some(kind) => kind,
            None if request.key.is_empty() => ServiceKind::Service,
            None => ServiceKind::VirtualObject,
        };
        let handler = service.and_then(|service| {
            let handler = service.handler(&request.handler)?;
            handler_word(service.handler_definition(handler).kind)
        });
        let key = kind.is_keyed().then(|| self.room.text(&request.key));
        let fields = object([
            ("name", self.text(&request.service)),
            ("key", key),
            ("handler", self.text(&request.handler)),
            ("handler_ty", handler.map(Json::word)),
            ("scope", Some(self.option(request.scope.as_deref()))),
        ]);
        Json::variant(kind.name(), fields)
    }

    pub(super) fn invocation<'a>(&mut self, target: &'a InvocationTarget) -> Json<'a> {
        match target {
            InvocationTarget::Id(id) => Json::variant("InvocationId", self.room.text(id)),
            InvocationTarget::Idempotent { service, key, handler, idempotency_key, scope } => {
                let key = (!key.is_empty()).then_some(key.as_str());
                let fields = object([
                    ("service_name", self.text(service)),
                    ("service_key", Some(self.option(key))),
                    ("service_handler", self.text(handler)),
                    ("idempotency_key", self.text(idempotency_key)),
                    ("scope", Some(self.option(scope.as_deref()))),
                ]);
                Json::variant("IdempotentRequest", fields)
            }
            InvocationTarget::Workflow { name, key, scope } => {
                let fields = object([
                    ("service_name", self.text(name)),
                    ("key", self.text(key)),
                    ("scope", Some(self.option(scope.as_deref()))),
                ]);
                Json::variant("Workflow", fields)
            }
        }
    }

    /// A signal's number or name, under the names of these two variants.
    pub(super) fn signal<'a>(
        &mut self,
        signal: &SignalId,
        [index, name]: [&'static str; 2],
    ) -> Json<'a> {
        match signal {
            SignalId::Index(number) => Json::variant(index, Json::Number((*number).into())),
            SignalId::Name(text) => Json::variant(name, self.room.text(text)),
        }
    }

    fn option<'a>(&mut self, text: Option<&str>) -> Json<'a> {
        text.map_or(Json::Null, |text| self.room.text(text))
    }
}

/// `None` for a handler of a plain service, which has no such word.
fn handler_word(kind: HandlerKind) -> Option<&'static str> {
    match kind {
        HandlerKind::Service => None,
        HandlerKind::Exclusive => Some("Exclusive"),
        HandlerKind::Shared => Some("Shared"),
        HandlerKind::Workflow => Some("Workflow"),
    }
}
