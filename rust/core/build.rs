//! Link options of the core's own tests.

fn main() {
    // The generator of the crypto library is replaced (crypto/hooks.rs): its symbols are defined
    // twice, and the first definition, ours, counts.
    println!("cargo::rustc-link-arg=-Wl,-z,muldefs");
    println!("cargo::rerun-if-changed=build.rs");
}
