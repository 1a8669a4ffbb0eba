//! Runs the loop against a server that fails every second request.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::*;

async fn serve_alternately(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            let mut succeed = true;
            while stream.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {
                let status = if succeed { "200 OK" } else { "500 No" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok");
                stream.write_all(answer.as_bytes()).await.unwrap();
                succeed = !succeed;
            }
        });
    }
}

#[tokio::test]
async fn a_limited_loop_sends_exactly_its_requests() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_alternately(listener));
    let template = RequestTemplate::post("/Echo/echo", "1");
    let outcome = LocalSet::new()
        .run_until(async move {
            let mut running = ClosedLoop::start(address, &template, 1, 10).unwrap();
            running.start_recording();
            running.wait().await;
            running.finish().await
        })
        .await;
    assert_eq!((outcome.completed, outcome.errors), (5, 5));
    assert_eq!(outcome.latencies_us.len(), 5);
}
