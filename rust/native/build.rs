//! Link options of the extension.

fn main() {
    // As in core/build.rs.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,muldefs");
    // Nothing is bound at the first call: the lazy resolver would spill vector registers to the
    // ordinary stack.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,now");
    println!("cargo::rerun-if-changed=build.rs");
}
