//! Runs the steps of tests/conformance with this client. tests/conformance/README.md is the protocol.

mod json;
mod steps;

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinHandle;

use crate::steps::Session;

/// The step under way.
struct Running {
    id: Value,
    task: JoinHandle<()>,
}

impl Running {
    async fn end(self) {
        if let Err(error) = self.task.await {
            let code = if error.is_cancelled() { "CANCELLED" } else { "RUNNER_FAILED" };
            answer(self.id, json!({"error": {"code": code, "message": error.to_string()}}));
        }
    }
}

/// One thread: `connect` sets environment variables.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let session = Arc::new(Session { clients: Mutex::new(HashMap::new()) });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut running: Option<Running> = None;
    while let Some(line) = lines.next_line().await? {
        let step: Value = serde_json::from_str(&line)?;
        let before = running.take();
        if step["op"] == "cancel" {
            // A future that is dropped is what cancels with this client.
            if let Some(before) = before {
                before.task.abort();
                before.end().await;
            }
            answer(step["id"].clone(), json!({"ok": {}}));
            continue;
        }
        if let Some(before) = before {
            before.end().await;
        }
        let (id, session) = (step["id"].clone(), Arc::clone(&session));
        let task = tokio::spawn(async move { answer(step["id"].clone(), session.run(&step).await) });
        running = Some(Running { id, task });
    }
    if let Some(last) = running {
        last.end().await;
    }
    Ok(())
}

fn answer(id: Value, mut told: Value) {
    told["id"] = id;
    let mut out = io::stdout().lock();
    // Nobody is there to be told when nobody reads.
    let _ = writeln!(out, "{told}").and_then(|()| out.flush());
}
