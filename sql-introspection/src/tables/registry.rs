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
