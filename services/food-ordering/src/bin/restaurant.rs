//! A restaurant's point of sale: a plain HTTP server that knows nothing about the runtime except
//! where to report that an order is ready.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use clap::Parser;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use services_food_ordering::http::Http;
use tokio::net::TcpListener;

/// The restaurant's point of sale.
#[derive(Parser, Clone)]
struct Args {
    /// Address to listen on for orders to prepare.
    #[arg(long, env = "BIND", default_value = "127.0.0.1:5050")]
    bind: SocketAddr,
    /// URL of the ingress, where it reports that an order is ready.
    #[arg(long, env = "INGRESS", default_value = "http://127.0.0.1:8080")]
    ingress: String,
    /// Time to prepare an order, in milliseconds.
    #[arg(long, env = "COOKING_MS", default_value_t = 1500)]
    cooking_ms: u64,
}

#[derive(Deserialize)]
struct Prepare {
    #[serde(rename = "orderId")]
    order_id: String,
    cb: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.bind).await?;
    let http = Http::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let (args, http) = (args.clone(), http.clone());
        let service = service_fn(move |request| {
            let (args, http) = (args.clone(), http.clone());
            async move { Ok::<_, Infallible>(answer(args, http, request).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(args: Args, http: Http, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let is_prepare = request.method() == Method::POST && request.uri().path() == "/prepare";
    if !is_prepare {
        return status(StatusCode::NOT_FOUND);
    }
    let Ok(body) = request.into_body().collect().await else {
        return status(StatusCode::BAD_REQUEST);
    };
    let Ok(prepare) = serde_json::from_slice::<Prepare>(&body.to_bytes()) else {
        return status(StatusCode::BAD_REQUEST);
    };
    tokio::spawn(cook(args, http, prepare));
    status(StatusCode::OK)
}

/// Prepares an order, then reports it until the ingress accepts the report. An order requested
/// twice is reported twice, which does no harm.
async fn cook(args: Args, http: Http, Prepare { order_id, cb }: Prepare) {
    tokio::time::sleep(Duration::from_millis(args.cooking_ms)).await;
    let to = format!("{}/restate/awakeables/{cb}/resolve", args.ingress);
    while let Err(error) = http.post(&to, &()).await {
        eprintln!("order {order_id} is ready, but the ingress cannot be notified: {error:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}
