//! The secret that tokens are signed with.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use uuid::Uuid;

use crate::failure::Failure;

/// Shortest secret that is accepted, in bytes: as long as the signature it makes.
const SHORTEST: usize = 32;

/// The secret from `CORELLA_JWT_SECRET`, else the one in the data folder, which is made if it is not there.
pub(crate) fn load(data: Option<&Path>) -> Result<Vec<u8>, Failure> {
    if let Some(secret) = std::env::var_os("CORELLA_JWT_SECRET") {
        let secret = secret.into_encoded_bytes();
        if secret.len() < SHORTEST {
            return Err(Failure::ShortSecret { found: secret.len() });
        }
        return Ok(secret);
    }
    let data = data.ok_or(Failure::NoSecret)?;
    let path = data.join("jwt.secret");
    let failed = |source| Failure::Secret { path: path.clone(), source };
    match fs::read(&path) {
        Ok(secret) if secret.len() >= SHORTEST => return Ok(secret),
        Ok(secret) => {
            let what = format!("expected at least {SHORTEST} bytes, found {}", secret.len());
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    fs::create_dir_all(data).map_err(failed)?;
    let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    match create_private(&path, secret.as_bytes()) {
        Ok(()) => Ok(secret.into_bytes()),
        // Another process was faster; its secret counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read(&path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

/// Writes a file that its owner alone may read, whole or not at all.
fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("{}.new", Uuid::new_v4().simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    linked
}
