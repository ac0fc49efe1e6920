//! The server's place in the file system: one socket, one server.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::{
        fs::{FileTypeExt, OpenOptionsExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use crate::errors::Failure;

/// Makes sure that no other server has this socket, for as long as the returned file is held.
///
/// # Errors
/// `environment` if another one has it.
pub fn claim(socket: &Path) -> Result<File, Failure> {
    let mut name = socket.as_os_str().to_owned();
    name.push(".lock");
    let told = |error: io::Error| Failure::environment(format!("socket: {error}"));
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name);
    let file = file.map_err(told)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::environment(format!(
            "socket: another server has {}",
            socket.display()
        ))),
        Err(TryLockError::Error(error)) => Err(told(error)),
    }
}

/// A socket that only its owner can use, in the place of one that a dead server left.
///
/// # Errors
/// `environment` if something else is there, or no socket can be made.
pub fn bind(socket: &Path) -> Result<UnixListener, Failure> {
    let told = |error: io::Error| Failure::environment(format!("socket: {error}"));
    if let Ok(there) = fs::symlink_metadata(socket) {
        if !there.file_type().is_socket() {
            let what = format!("socket: {} is there and no socket", socket.display());
            return Err(Failure::environment(what));
        }
    }
    // Made under another name, so that it never stands there open to others.
    let mut name = socket.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new).map_err(told)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).map_err(told)?;
    fs::rename(&new, socket).map_err(told)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::{errors::Code, report::tests::folder};

    #[test]
    fn a_stale_socket_is_replaced_and_only_its_owner_may_use_the_new_one() {
        let folder = folder("bind");
        let socket = folder.join("s");
        drop(bind(&socket).unwrap());
        assert!(UnixStream::connect(&socket).is_err());
        let _listener = bind(&socket).unwrap();
        UnixStream::connect(&socket).unwrap();
        let mode = fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let folder = folder("nosocket");
        let socket = folder.join("s");
        fs::write(&socket, "precious").unwrap();
        assert_eq!(bind(&socket).unwrap_err().code, Code::Environment);
        assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_socket_belongs_to_one_server_until_it_ends() {
        let folder = folder("claim");
        let socket = folder.join("s");
        let first = claim(&socket).unwrap();
        assert_eq!(claim(&socket).unwrap_err().code, Code::Environment);
        drop(first);
        claim(&socket).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }
}
