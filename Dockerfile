FROM rust:1.95-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --package runtime-server --package services-food-ordering

FROM debian:bookworm-slim
RUN mkdir /data
COPY --from=build /src/target/release/abide /src/target/release/food-ordering /src/target/release/food-restaurant /usr/local/bin/
