//! Serving a site until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::Site;
use crate::site::shared_router;

/// Serves the site on `listener` until `shutdown` is ready. Live streams then end, other requests
/// are finished, and what has not ended after the site's grace is dropped.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    site: Site,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let site = Arc::new(site);
    let (told, stopping) = oneshot::channel();
    let signal = {
        let site = Arc::clone(&site);
        async move {
            shutdown.await;
            site.closing.send_replace(true);
            // The receiver is gone only if serving has ended already.
            let _ = told.send(());
        }
    };
    let grace = site.settings.grace;
    // Limits are by network.
    let service = shared_router(site).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(signal).into_future();
    let overdue = async move {
        // An error means that the server ended by itself: then its own result is what counts.
        match stopping.await {
            Ok(()) => tokio::time::sleep(grace).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = serving => ended,
        () = overdue => {
            tracing::warn!("requests were still open after the grace; they are dropped");
            Ok(())
        }
    }
}
