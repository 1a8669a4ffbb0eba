//! An order and its status.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An order as the customer sends it; its id is the workflow's key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Id of the restaurant that prepares the order.
    pub restaurant_id: String,
    /// The products that are ordered.
    pub products: Vec<Product>,
    /// Total price, in cents.
    pub total_cents: u64,
    /// Delay before the order is prepared, in milliseconds; 0 for immediately.
    #[serde(default)]
    pub delivery_delay_ms: u64,
}

/// One line of an order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Id of the product.
    pub product_id: String,
    /// Number of units.
    pub quantity: u32,
}

/// The status of an order; the variants are in chronological order, except `Rejected`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The order was received.
    Created,
    /// The order is paid for, and waits for its scheduled time.
    Scheduled,
    /// The restaurant is preparing the order.
    InPreparation,
    /// The order is ready, and a driver is being found.
    SchedulingDelivery,
    /// A driver is on the way to the restaurant.
    WaitingForDriver,
    /// A driver is on the way to the customer.
    InDelivery,
    /// The customer has received the order.
    Delivered,
    /// The payment was declined, or the order failed and was refunded.
    Rejected,
}

/// A status, and when it was reached.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The status that was reached.
    pub status: Status,
    /// When it was reached, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}
