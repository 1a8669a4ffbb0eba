use abide_sdk::prelude::*;

struct Greeter;

#[service]
impl Greeter {
    pub async fn greet(&self, ctx: &Context) -> Result<()> {
        tokio::spawn(async move {
            let _ = ctx.sleep(1.seconds()).await;
        });
        Ok(())
    }
}

fn main() {}
