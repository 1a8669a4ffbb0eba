use abide_sdk::prelude::*;

struct Greeter;

#[service]
impl Greeter {
    #[handler(inactivity_timeout = "half an hour")]
    pub async fn greet(&self, _ctx: &Context) -> Result<()> {
        Ok(())
    }
}

fn main() {}
