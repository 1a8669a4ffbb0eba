use abide_sdk::prelude::*;

struct Greeter;

#[service]
impl Greeter {
    pub async fn greet(&self, _ctx: &Context, _name: String, _times: u32) -> Result<()> {
        Ok(())
    }
}

fn main() {}
