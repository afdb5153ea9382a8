//! `loro-websocket-server`, as its own example runs it: on one thread, each document stored whole every second.

use std::{env, error::Error, path::PathBuf, sync::Arc};

use loro_websocket_server::{
    LoadDocArgs, LoadedDoc, SaveDocArgs, ServerConfig, serve_incoming_with_config,
};
use tokio::{fs, net::TcpListener};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("expected a folder")?);
    // Rooms are named by the load generator, with nothing in their names that a file's may not have.
    let (loads, saves) = (folder.clone(), folder);
    let config = ServerConfig::<()> {
        on_load_document: Some(Arc::new(move |LoadDocArgs { room, .. }| {
            let file = loads.join(room);
            Box::pin(async move { Ok(LoadedDoc { snapshot: fs::read(file).await.ok(), ctx: None }) })
        })),
        on_save_document: Some(Arc::new(move |SaveDocArgs { room, data, .. }| {
            let file = saves.join(room);
            Box::pin(async move { fs::write(file, data).await.map_err(|error| error.to_string()) })
        })),
        save_interval_ms: Some(1_000),
        ..ServerConfig::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?.port());
    serve_incoming_with_config(listener, config).await
}
