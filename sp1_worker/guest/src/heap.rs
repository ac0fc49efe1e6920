//! Memory for the laws: handed out from the end of the image upwards, never taken back.
//!
//! A run is short, so nothing is ever reused. Memory that no one has written holds whatever the
//! prover likes: SP1 constrains the first value of an address only where the image names it. So
//! zeroed memory is written with zeros, however untouched it is.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

use crate::machine::INPUT_START;

extern "C" {
    /// First address behind the image; the linker defines it.
    static _end: u8;
}

/// Next free address, 0 before the first allocation.
struct Heap(UnsafeCell<usize>);

// SAFETY: the machine has one thread and no interrupts.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(0));

// SAFETY: regions never overlap, because the next free address only grows; they are aligned and
// end before the input.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no reference to the cell outlives this call.
        let next = unsafe { &mut *self.0.get() };
        if *next == 0 {
            *next = &raw const _end as usize;
        }
        let start = (*next + layout.align() - 1) & !(layout.align() - 1);
        match start.checked_add(layout.size()) {
            Some(end) if end <= INPUT_START => {
                *next = end;
                start as *mut u8
            }
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
