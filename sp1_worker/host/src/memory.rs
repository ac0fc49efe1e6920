//! Memory of this process and of the executors it starts.

use std::{fs, process, thread, time::Duration};

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

/// What this process holds now, in bytes.
pub fn resident_bytes() -> u64 {
    own("VmRSS")
}

/// The most that this process held since the last `reset_peak`, plus the most that any executor
/// held that it started, in bytes: an upper bound, since the two need not have come together.
pub fn peak_bytes() -> u64 {
    own("VmHWM").saturating_add(largest_child_bytes())
}

/// Starts the count of the peak anew, so that a server tells each proof's own.
pub fn reset_peak() {
    // Where the kernel refuses, the peak stays that of the whole process: too high, never too low.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The most that any ended child held, in bytes.
#[allow(unsafe_code)]
fn largest_child_bytes() -> u64 {
    // Safety: rusage is plain numbers, and getrusage only writes to the one passed.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) != 0 {
            return 0;
        }
        usage
    };
    u64::try_from(usage.ru_maxrss)
        .unwrap_or(0)
        .saturating_mul(1024)
}

/// Ends the process through `last_words` as soon as it holds more than `limit_bytes`: better than
/// to let the kernel choose whom to kill. The exit code is what `last_words` returns.
pub fn watch(limit_bytes: u64, last_words: impl FnOnce(u64) -> u8 + Send + 'static) {
    thread::spawn(move || loop {
        let held = resident_bytes();
        if held > limit_bytes {
            let code = last_words(held);
            end_children();
            process::exit(i32::from(code));
        }
        thread::sleep(Duration::from_millis(WATCH_PERIOD_MS));
    });
}

/// Ends the executors that this process started: one that waits for its parent to take a trace
/// would wait for ever.
#[allow(unsafe_code)]
pub fn end_children() {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return;
    };
    for task in tasks.flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|id| id.parse::<i32>().ok())
        {
            // Safety: a signal to a child that has not been waited for; its id cannot be another's.
            unsafe { libc::kill(child, libc::SIGKILL) };
        }
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
    fn the_peak_is_no_less_than_what_is_held() {
        let ballast = std::hint::black_box(vec![1u8; 32 << 20]);
        assert!(resident_bytes() > 0);
        assert!(peak_bytes() >= ballast.len() as u64);
        assert!(machine().memory_bytes > available_bytes());
    }

    #[test]
    fn a_child_left_behind_is_ended() {
        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        end_children();
        assert!(!child.wait().unwrap().success());
    }
}
