//! Ending on request. A thread waits for the signals, so that a server ends also in the middle of
//! a proof, and always the same way.

use std::{mem::MaybeUninit, ptr};

/// The signals that end a server.
const ENDING: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// The set of them.
#[allow(unsafe_code)]
fn ending() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // Safety: sigemptyset fills the whole set; the signals are valid, so sigaddset only adds.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in ENDING {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// Keeps the signals for [`wait`]. To be called before any thread is started: threads inherit it.
#[allow(unsafe_code)]
pub fn hold() {
    let set = ending();
    // Safety: the set is initialised and the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) };
}

/// Waits until one of them comes.
#[allow(unsafe_code)]
pub fn wait() {
    let set = ending();
    let mut signal = 0;
    // Safety: both point to initialised values of this frame.
    unsafe { libc::sigwait(&set, &mut signal) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code)]
    fn a_held_signal_is_waited_for() {
        let waiting = std::thread::spawn(|| {
            hold();
            // Safety: a signal to this thread, which holds it.
            unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGTERM) };
            wait();
        });
        waiting.join().unwrap();
    }
}
