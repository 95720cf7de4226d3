//! A server of one's own for tests: `passerelled` on a free port, with its store in a temporary directory.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, process, thread};

/// How long a server may take to start, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs until this is dropped, and whose data goes with it. It asks nobody for a key.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let server = passerelle::test_server::TestServer::start()?;
/// let client = passerelle::connect(server.address())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TestServer {
    child: Child,
    address: String,
    directory: PathBuf,
}

impl TestServer {
    /// Starts `passerelled`, of the folder that `PASSERELLE_BIN` names or else of the `PATH`, and waits until it serves.
    /// The error has the server's own words if it does not within a minute.
    pub fn start() -> io::Result<TestServer> {
        TestServer::start_with::<&str>(&[])
    }

    /// As [`start`](TestServer::start), with more arguments for it.
    pub fn start_with<S: AsRef<OsStr>>(arguments: &[S]) -> io::Result<TestServer> {
        let directory = new_directory()?;
        let child = Command::new(binary())
            .arg("--data")
            .arg(directory.join("data"))
            .args(["--listen", "127.0.0.1:0", "--insecure-loopback"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(directory.join("log"))?)
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) => {
                fs::remove_dir_all(&directory)?;
                let text = format!(
                    "{}: {error}; put passerelled in the PATH, or its folder in PASSERELLE_BIN",
                    binary().display()
                );
                return Err(io::Error::new(error.kind(), text));
            }
        };
        let mut server = TestServer { child, address: String::new(), directory };
        server.address = server.await_serving()?;
        Ok(server)
    }

    /// Where it serves, for example `127.0.0.1:40123`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The folder with its data and its log, which goes when this is dropped.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Reads its one line on standard output; an end without it is a failed start, and so is none within `PATIENCE`.
    fn await_serving(&mut self) -> io::Result<String> {
        let output = self.child.stdout.take().ok_or_else(|| io::Error::other("passerelled has no output"))?;
        let line = first_line(output)?;
        address_in(&line).ok_or_else(|| {
            let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            io::Error::other(format!("passerelled did not start: {line}{log}"))
        })
    }
}

/// Nothing of it is kept, so it is not asked to end in order.
impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The thread ends with the line, or with the server that never printed one: dropping that kills it.
fn first_line(output: ChildStdout) -> io::Result<String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _ = tell.send(BufReader::new(output).read_line(&mut line).map(|_| line));
    });
    told.recv_timeout(PATIENCE).unwrap_or_else(|_| Ok(String::new()))
}

fn binary() -> PathBuf {
    match env::var_os("PASSERELLE_BIN").filter(|folder| !folder.is_empty()) {
        Some(folder) => Path::new(&folder).join("passerelled"),
        None => PathBuf::from("passerelled"),
    }
}

fn new_directory() -> io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("passerelle-{}-{count}", process::id()));
        match fs::create_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|()| directory),
        }
    }
}

/// The address in `{"event":"serving","address":"127.0.0.1:40123",...}`.
fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("\"address\":\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_in_the_line() {
        let line = r#"{"event":"serving","address":"127.0.0.1:46661","version":"0.1.0"}"#;
        assert_eq!(address_in(line).as_deref(), Some("127.0.0.1:46661"));
        assert_eq!(address_in(""), None);
    }
}
