//! Facts of the Python that this build links against, and where the binary finds its library.
//!
//! Without Python it only sets what the linker for Windows needs. The recorded facts are a fallback for a binary
//! that runs where it was built; one that travels carries `embed_runtime/` beside it and looks there first.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("OS") == "windows" && target("ENV") == "gnu" {
        // A library that names nothing to export exports everything, and a DLL has room for 65535 names.
        println!("cargo:rustc-link-arg-cdylib=-Wl,--exclude-all-symbols");
    }
    if target("OS") == "windows" {
        // Paths of more than 260 characters, and UTF-8 in the older calls of the system.
        embed_manifest::embed_manifest(embed_manifest::new_manifest("Holdmetrics"))
            .expect("the manifest of the program");
    }
    #[cfg(any(feature = "py-embed", feature = "py-ext"))]
    python::record();
}

#[cfg(any(feature = "py-embed", feature = "py-ext"))]
mod python {
    /// Set by maturin: an extension module finds its symbols in the process that loads it.
    const EXTENSION: &str = "PYO3_BUILD_EXTENSION_MODULE";
    /// Set by `make bundle`: the binary carries its Python and names no path of this machine.
    const BUNDLE: &str = "HOLDMETRICS_BUNDLE";

    pub(super) fn record() {
        let config = pyo3_build_config::get();
        pyo3_build_config::use_pyo3_cfgs();
        println!("cargo:rerun-if-env-changed={EXTENSION}");
        println!("cargo:rerun-if-env-changed={BUNDLE}");
        let is_bundle = std::env::var_os(BUNDLE).is_some();
        println!("cargo:rustc-env=POH_BUILD_PYTHON={}", config.version());
        let (home, folder) = if is_bundle {
            (String::new(), String::new())
        } else {
            // A cross build knows no interpreter that it could ask; its binary carries a runtime.
            let home = config.executable().map_or_else(String::new, |_| {
                config
                    .run_python_script("import sys; print(sys.base_prefix)")
                    .unwrap_or_default()
            });
            let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
            (home, folder)
        };
        println!("cargo:rustc-env=POH_BUILD_PYTHON_HOME={}", home.trim());
        println!("cargo:rustc-env=POH_BUILD_FOLDER={folder}");
        if std::env::var_os(EXTENSION).is_none() {
            // The runtime beside the binary comes first: the linker keeps the order.
            if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
                println!("cargo:rustc-link-arg-bins=-Wl,-rpath,$ORIGIN/embed_runtime");
            }
            if !is_bundle {
                pyo3_build_config::add_libpython_rpath_link_args();
            }
        }
    }
}
