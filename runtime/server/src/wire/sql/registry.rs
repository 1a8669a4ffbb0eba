//! Deployments and services.

use runtime_schema::address;
use runtime_views::{deployment, service};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Page, PageLimit, Wanted},
    tables::{Deployment, Service},
};

use super::{Snapshot, budget, invocation::service_kind};

impl Scan<Deployment> for Snapshot {
    fn scan(
        &self,
        _: u16,
        _: &Wanted<Deployment>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Deployment>, Unavailable> {
        let after = after.and_then(|cursor| cursor.0.parse().ok());
        let found = deployment::List { after, budget: budget(limit) }.read(&self.registry);
        let records = found.rows.into_iter().map(|it| Deployment {
            id: it.id.to_string(),
            endpoint: address::shown(&it.uri),
            created_at: it.created_at.0,
            protocol_range: it.protocol_range,
            services: it.services.into_iter().map(|service| service.name).collect(),
            sdk: it.sdk,
        });
        let rest_after = found.rest_after.map(|id| Cursor(id.to_string()));
        Ok(Page { records: records.collect(), counts: None, rest_after })
    }
}

impl Scan<Service> for Snapshot {
    fn scan(
        &self,
        _: u16,
        _: &Wanted<Service>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Service>, Unavailable> {
        let after = after.map(|cursor| cursor.0.clone());
        let found = service::List { after, budget: budget(limit) }.read(&self.registry);
        let records = found.rows.into_iter().map(|it| Service {
            alias: self.alias(&it.name),
            name: it.name,
            revision: it.revision,
            is_public: it.is_public,
            kind: service_kind(it.kind),
            deployment: it.deployment.to_string(),
            handlers: it.handlers.into_iter().map(|handler| handler.name).collect(),
        });
        Ok(Page {
            records: records.collect(),
            counts: None,
            rest_after: found.rest_after.map(Cursor),
        })
    }
}
