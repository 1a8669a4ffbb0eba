//! Deployments and services.

use std::borrow::Cow;

use crate::{
    column::Column,
    source::Record,
    table::{Table, TableInfo},
};

use super::object::Whole;

/// A registered endpoint.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Deployment {
    pub id: String,
    pub endpoint: String,
    pub created_at: u64,
    pub protocol_range: (u32, u32),
    pub services: Vec<String>,
    pub sdk: Option<String>,
    pub status: &'static str,
    pub pinned: PinnedCounts,
}

/// How many invocations are pinned to a deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct PinnedCounts {
    pub unfinished: u64,
    pub running: u64,
    pub backing_off: u64,
    pub suspended: u64,
    pub paused: u64,
    pub completed: u64,
}

/// The latest revision of a service.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Service {
    pub name: String,
    pub alias: Option<String>,
    pub revision: u32,
    pub is_public: bool,
    pub kind: &'static str,
    pub deployment: String,
    pub handlers: Vec<String>,
}

impl Record for Deployment {
    type Filter = ();
    type Part = Whole;
}

impl Record for Service {
    type Filter = ();
    type Part = Whole;
}

/// `sys_deployment`.
pub(crate) fn sys_deployment() -> Table<Deployment> {
    Table {
        info: TableInfo {
            name: "sys_deployment",
            comment: "Registered endpoints.",
            pushed: &[],
            is_partitioned: false,
        },
        columns: vec![
            Column::text("id", "Id of the deployment.", |it: &Deployment| Some((&it.id).into())),
            Column::text("ty", "Always http.", |_| Some("http".into())),
            Column::text("endpoint", "Its address, without a password.", |it| {
                Some((&it.endpoint).into())
            }),
            Column::time("created_at", "When it was registered.", |it| Some(it.created_at)),
            Column::u32("min_service_protocol_version", "Oldest protocol it speaks.", |it| {
                Some(it.protocol_range.0)
            }),
            Column::u32("max_service_protocol_version", "Newest protocol it speaks.", |it| {
                Some(it.protocol_range.1)
            }),
            Column::texts("services", "The services that it offers.", |it| {
                Some(it.services.iter().map(Cow::from).collect())
            }),
            Column::text("sdk", "Name and version of its SDK.", |it| {
                it.sdk.as_deref().map(Cow::from)
            }),
            Column::text(
                "status",
                "active while it is the latest of a service, draining while only invocations that \
                 have begun need it, then drained.",
                |it| Some(it.status.into()),
            ),
            Column::u64("pinned_unfinished", "Invocations that have to finish on it.", |it| {
                Some(it.pinned.unfinished)
            }),
            Column::u64("pinned_running", "Those of them that run.", |it| Some(it.pinned.running)),
            Column::u64("pinned_backing_off", "Those that wait for their next attempt.", |it| {
                Some(it.pinned.backing_off)
            }),
            Column::u64("pinned_suspended", "Those that wait for something else.", |it| {
                Some(it.pinned.suspended)
            }),
            Column::u64("pinned_paused", "Those that are paused.", |it| Some(it.pinned.paused)),
            Column::u64("pinned_completed", "Invocations that have ended on it.", |it| {
                Some(it.pinned.completed)
            }),
        ],
        filter: |_| (),
        order: |()| None,
    }
}

/// `sys_service`.
pub(crate) fn sys_service() -> Table<Service> {
    Table {
        info: TableInfo {
            name: "sys_service",
            comment: "Registered services, in their latest revision.",
            pushed: &[],
            is_partitioned: false,
        },
        columns: vec![
            Column::text("name", "Name of the service.", |it: &Service| Some((&it.name).into())),
            Column::u64("revision", "Its revision.", |it| Some(u64::from(it.revision))),
            Column::bool("public", "Whether clients may call it.", |it| Some(it.is_public)),
            Column::text("ty", "service, virtual_object or workflow.", |it| Some(it.kind.into())),
            Column::text("deployment_id", "The deployment that offers it.", |it| {
                Some((&it.deployment).into())
            }),
            Column::text(
                "alias",
                "Its name in state.service and sys_status, if it has one.",
                |it| it.alias.as_deref().map(Cow::from),
            ),
            Column::texts("handlers", "Its handlers.", |it| {
                Some(it.handlers.iter().map(Cow::from).collect())
            }),
        ],
        filter: |_| (),
        order: |()| None,
    }
}
