//! The restaurant's point of sale, as the workflow sees it: it accepts an order at once, and calls
//! back later.

use std::future::Future;
use std::pin::Pin;

use abide_sdk::prelude::*;
use serde_json::json;

use crate::http::Http;

/// A request to the restaurant.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// A restaurant that prepares orders.
pub trait Restaurant: Send + Sync {
    /// Asks the restaurant to prepare an order. The restaurant completes the awakeable `callback`
    /// when the order is ready, or rejects it if it cannot prepare the order.
    fn prepare<'a>(&'a self, order_id: &'a str, callback: &'a str) -> Asking<'a>;
}

/// A restaurant reached over HTTP.
pub struct HttpRestaurant {
    /// URL of its point of sale, such as `http://127.0.0.1:5050`.
    pub at: String,
    /// The HTTP client with which it is reached.
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
