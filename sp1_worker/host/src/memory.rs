//! Memory of this process and of the executors it starts.

use std::{
    fs, process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use crate::settings::Machine;

/// How often the watch looks, in milliseconds: an allocation of SP1 grows over seconds.
const WATCH_PERIOD_MS: u64 = 100;

/// The number before `kB` in the line `name` of a text like `/proc/self/status`, in bytes.
fn field_bytes(text: &str, name: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// A field of `/proc/self/status` in bytes; 0 where there is none.
fn own(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    field_bytes(&text, name).unwrap_or(0)
}

/// A field of `/proc/meminfo` in bytes; 0 where there is none.
fn machine_wide(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    field_bytes(&text, name).unwrap_or(0)
}

/// What this machine has.
pub fn machine() -> Machine {
    let cores = thread::available_parallelism().map_or(1, |count| count.get());
    Machine {
        cores,
        memory_bytes: machine_wide("MemTotal"),
    }
}

/// Memory that could be had now without swapping, in bytes.
pub fn available_bytes() -> u64 {
    machine_wide("MemAvailable")
}

/// What this process and the executors it started hold now, in bytes. What they share is counted
/// for each of them.
pub fn held_bytes() -> u64 {
    let of_child = |id: i32| {
        let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        field_bytes(&text, "VmRSS").unwrap_or(0)
    };
    own("VmRSS").saturating_add(children().into_iter().map(of_child).sum())
}

/// The most that the watch saw since the last [`reset_peak`], in bytes.
static SEEN: AtomicU64 = AtomicU64::new(0);

/// The most that was held since the last [`reset_peak`], in bytes: what the kernel counted for this
/// process, or what the watch saw with executors if that is more. The kernel's own count for ended
/// children is of no use: it begins with what their parent held.
pub fn peak_bytes() -> u64 {
    own("VmHWM")
        .max(SEEN.load(Ordering::Relaxed))
        .max(held_bytes())
}

/// Starts the count of the peak anew, so that a server tells each proof's own.
pub fn reset_peak() {
    SEEN.store(0, Ordering::Relaxed);
    // Where the kernel refuses, the peak stays that of the whole process: too high, never too low.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Processor time of this process so far, all its threads together, in seconds: unlike wall time
/// it says the same on a busy machine.
#[allow(unsafe_code)]
pub fn processor_seconds() -> f64 {
    // Safety: rusage is plain numbers, and getrusage only writes to the one passed.
    let used = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut used);
        used
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    seconds(used.ru_utime) + seconds(used.ru_stime)
}

/// Looks at the memory held as long as the process lives, and ends it through `last_words` as soon
/// as it is more than `limit_bytes` (0: no limit): better than to let the kernel choose whom to
/// kill. The exit code is what `last_words` returns.
pub fn watch(limit_bytes: u64, last_words: impl FnOnce(u64) -> u8 + Send + 'static) {
    thread::spawn(move || loop {
        let held = held_bytes();
        SEEN.fetch_max(held, Ordering::Relaxed);
        if limit_bytes > 0 && held > limit_bytes {
            let code = last_words(held);
            end_children();
            process::exit(i32::from(code));
        }
        thread::sleep(Duration::from_millis(WATCH_PERIOD_MS));
    });
}

/// The executors that this process started and that have not been waited for.
fn children() -> Vec<i32> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let of_task = |task: fs::DirEntry| {
        let ids = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        ids.split_whitespace()
            .filter_map(|id| id.parse().ok())
            .collect::<Vec<i32>>()
    };
    tasks.flatten().flat_map(of_task).collect()
}

/// Ends the executors that this process started: one that waits for its parent to take a trace
/// would wait for ever.
#[allow(unsafe_code)]
pub fn end_children() {
    for child in children() {
        // Safety: a signal to a child that has not been waited for; its id cannot be another's.
        unsafe { libc::kill(child, libc::SIGKILL) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tlaws-host\nVmHWM:\t  9123 kB\nVmRSS:\t   512 kB\n";

    #[test]
    fn a_field_is_read_in_bytes() {
        assert_eq!(field_bytes(STATUS, "VmHWM"), Some(9123 * 1024));
        assert_eq!(field_bytes(STATUS, "VmRSS"), Some(512 * 1024));
    }

    #[test]
    fn a_field_that_is_not_there_or_no_number_is_none() {
        assert_eq!(field_bytes(STATUS, "VmSwap"), None);
        assert_eq!(field_bytes(STATUS, "Vm"), None);
        assert_eq!(field_bytes("VmHWM:\t many kB", "VmHWM"), None);
        assert_eq!(
            field_bytes("VmHWM:\t 18446744073709551615 kB", "VmHWM"),
            None
        );
    }

    #[test]
    fn the_peak_is_no_less_than_what_was_held() {
        let ballast = std::hint::black_box(vec![1u8; 32 << 20]);
        let size = ballast.len() as u64;
        assert!(held_bytes() >= size);
        drop(ballast);
        assert!(peak_bytes() >= size);
        assert!(machine().memory_bytes > available_bytes());
        assert!(processor_seconds() > 0.0);
    }

    #[test]
    fn a_child_is_seen_and_ended() {
        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(children().contains(&i32::try_from(child.id()).unwrap()));
        end_children();
        assert!(!child.wait().unwrap().success());
    }
}
