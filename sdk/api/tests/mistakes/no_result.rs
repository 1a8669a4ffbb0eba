use abide_sdk::prelude::*;

struct Greeter;

#[service]
impl Greeter {
    pub async fn greet(&self, _ctx: &Context) {}
}

fn main() {}
