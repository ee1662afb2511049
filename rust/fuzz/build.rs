//! Link options of the fuzzing program.

fn main() {
    // As in core/build.rs.
    println!("cargo::rustc-link-arg=-Wl,-z,muldefs");
    println!("cargo::rerun-if-changed=build.rs");
}
