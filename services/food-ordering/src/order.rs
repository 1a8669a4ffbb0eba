//! An order, and how far it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a customer sends; the order's id is the workflow's key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Which restaurant prepares it.
    pub restaurant_id: String,
    /// What is in it.
    pub products: Vec<Product>,
    /// What it costs, in cents.
    pub total_cents: u64,
    /// Prepare it this many milliseconds from now; 0 is right now.
    #[serde(default)]
    pub delivery_delay_ms: u64,
}

/// One line of an order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Which product.
    pub product_id: String,
    /// How many.
    pub quantity: u32,
}

/// How far an order is, in the order of its life.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It was received.
    Created,
    /// It is paid and waits for its time.
    Scheduled,
    /// The restaurant is at it.
    InPreparation,
    /// It is ready and looks for a driver.
    SchedulingDelivery,
    /// A driver is on the way to the restaurant.
    WaitingForDriver,
    /// A driver is on the way to the customer.
    InDelivery,
    /// The customer has it.
    Delivered,
    /// It could not be paid.
    Rejected,
}

/// A status and when it was reached, in milliseconds since the epoch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// How far the order was.
    pub status: Status,
    /// When.
    pub at_ms: u64,
}
