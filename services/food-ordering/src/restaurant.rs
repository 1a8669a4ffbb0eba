//! The restaurant's point of sale, as the workflow sees it: it is asked at once and answers later.

use std::future::Future;
use std::pin::Pin;

use abide_sdk::prelude::*;
use serde_json::json;

use crate::http::Http;

/// Something that is under way.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// A restaurant.
pub trait Restaurant: Send + Sync {
    /// Asks it to prepare an order. It completes the awakeable `callback` when the order is ready, or
    /// rejects it when it can't prepare it.
    fn prepare<'a>(&'a self, order_id: &'a str, callback: &'a str) -> Asking<'a>;
}

/// A restaurant that is reached over HTTP.
pub struct HttpRestaurant {
    /// Where its point of sale is, like `http://127.0.0.1:5050`.
    pub at: String,
    /// How it is reached.
    pub http: Http,
}

impl Restaurant for HttpRestaurant {
    fn prepare<'a>(&'a self, order_id: &'a str, callback: &'a str) -> Asking<'a> {
        Box::pin(async move {
            let body = json!({ "orderId": order_id, "cb": callback });
            Ok(self.http.post(&format!("{}/prepare", self.at), &body).await?)
        })
    }
}
