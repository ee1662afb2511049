//! Helpers of the unit tests.

/// Kernels live as long as the process.
pub(crate) fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
