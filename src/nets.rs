//! The trained nets: their weights, the check against the manifest, and running them in tract.
//!
//! Weights are compiled in; a folder given with `--models` replaces them. Each file is named by `manifest.toml` with its
//! SHA-256, and is refused where that does not match, or where the net's shapes are not those that its user here asks for.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tract_onnx::prelude::*;

/// What went wrong with the weights, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error(
        "cannot read {path}: {source}; give --models a folder with manifest.toml and the weights it names, or leave it out to use the built-in ones"
    )]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a valid manifest: {message}")]
    Manifest { path: PathBuf, message: String },
    #[error("the manifest in {path} names no net '{net}'; it is not complete or of another version")]
    Missing { path: PathBuf, net: &'static str },
    #[error(
        "the weights of '{net}' in {path} do not match their manifest (SHA-256 {found}, not {expected}): the file is corrupt or of another version; install it again or leave --models out"
    )]
    Mismatch {
        path: PathBuf,
        net: &'static str,
        expected: String,
        found: String,
    },
    #[error("the weights of '{net}' cannot be used: {message}")]
    Unusable { net: &'static str, message: String },
}

#[derive(Debug, Deserialize)]
struct Manifest {
    nets: std::collections::BTreeMap<String, Entry>,
    prior: Option<Entry>,
}

impl Manifest {
    fn entry<'m>(&'m self, net: &'static str, path: &Path) -> Result<&'m Entry, WeightsError> {
        let entry = match net {
            PRIOR => self.prior.as_ref(),
            _ => self.nets.get(net),
        };
        entry.ok_or_else(|| WeightsError::Missing {
            path: path.to_owned(),
            net,
        })
    }
}

/// The manifest's section on what is known of a person before calibration.
const PRIOR: &str = "prior";

#[derive(Debug, Deserialize)]
struct Entry {
    file: String,
    sha256: String,
}

/// The nets that the tracker needs, by their names in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetName {
    /// Finds faces in a small copy of the whole picture.
    Finder,
    /// Places the 22 landmarks in an upright crop of the face.
    Landmarks,
    /// EyesNet's shared branch: one eye patch in, pupil, lids, openness and confidence out.
    Eyes,
    /// Carries the gaze on from its newest samples.
    Forecast,
}

impl NetName {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finder => "finder",
            Self::Landmarks => "landmarks",
            Self::Eyes => "eyes",
            Self::Forecast => "forecast",
        }
    }
}

/// Where the weights come from.
#[derive(Clone, Debug, Default)]
pub enum Weights {
    #[default]
    BuiltIn,
    /// Other nets. The prior of calibration stays the built-in one, which was learned with the built-in nets.
    Folder(PathBuf),
}

impl Weights {
    /// Loads one net and checks it against the manifest and the shapes expected of it.
    pub fn load(&self, name: NetName, input: &[usize], output_len: usize) -> Result<Net, WeightsError> {
        let bytes = self.bytes(name)?;
        Net::from_onnx(name, &bytes, input, output_len)
    }

    /// A short version string of what gives a calibration's numbers their meaning: the first digits of the SHA-256 of the
    /// SHA-256s of the nets that features come from, landmarks and eyes, and of the prior that the correction starts from.
    /// Calibration profiles are bound to it. The other nets may change: a finder only says where to look, and a forecast
    /// begins where calibration ends.
    pub fn version(&self) -> Result<String, WeightsError> {
        let (manifest, path) = (self.manifest()?, self.manifest_path());
        let prior = Self::BuiltIn.manifest()?;
        let mut digest = Sha256::new();
        for entry in [
            manifest.entry(NetName::Landmarks.as_str(), &path)?,
            manifest.entry(NetName::Eyes.as_str(), &path)?,
            prior.entry(PRIOR, &Self::BuiltIn.manifest_path())?,
        ] {
            digest.update(entry.sha256.to_ascii_lowercase());
        }
        Ok(hex(&digest.finalize())[..12].to_owned())
    }

    fn bytes(&self, name: NetName) -> Result<Cow<'static, [u8]>, WeightsError> {
        let path = self.manifest_path();
        let manifest = self.manifest()?;
        let entry = manifest.entry(name.as_str(), &path)?;
        let bytes = match self {
            Self::BuiltIn => Cow::Borrowed(built_in(name)),
            Self::Folder(folder) => Cow::Owned(read(&folder.join(&entry.file))?),
        };
        let found = hex(&Sha256::digest(&bytes));
        if !found.eq_ignore_ascii_case(&entry.sha256) {
            let expected = entry.sha256.clone();
            return Err(WeightsError::Mismatch {
                path,
                net: name.as_str(),
                expected,
                found,
            });
        }
        Ok(bytes)
    }

    fn manifest(&self) -> Result<Manifest, WeightsError> {
        toml::from_str(&self.manifest_text()?).map_err(|error| WeightsError::Manifest {
            path: self.manifest_path(),
            message: error.to_string(),
        })
    }

    fn manifest_path(&self) -> PathBuf {
        match self {
            Self::BuiltIn => PathBuf::from("(built in) manifest.toml"),
            Self::Folder(folder) => folder.join("manifest.toml"),
        }
    }

    fn manifest_text(&self) -> Result<Cow<'static, str>, WeightsError> {
        match self {
            Self::BuiltIn => Ok(Cow::Borrowed(include_str!("../models/manifest.toml"))),
            Self::Folder(_) => {
                let path = self.manifest_path();
                let text = String::from_utf8(read(&path)?).map_err(|_| WeightsError::Manifest {
                    path,
                    message: "it is not UTF-8 text".into(),
                })?;
                Ok(Cow::Owned(text))
            }
        }
    }
}

fn built_in(name: NetName) -> &'static [u8] {
    match name {
        NetName::Finder => include_bytes!("../models/finder.onnx"),
        NetName::Landmarks => include_bytes!("../models/landmarks.onnx"),
        NetName::Eyes => include_bytes!("../models/eyes.onnx"),
        NetName::Forecast => include_bytes!("../models/forecast.onnx"),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, WeightsError> {
    std::fs::read(path).map_err(|source| WeightsError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One net, ready to run on one thread, with its input and output buffers.
pub struct Net {
    name: NetName,
    state: TypedSimpleState,
    input_shape: TVec<usize>,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Net {
    /// Reads an ONNX file of fixed shapes. `output_len` is the number of values that the caller will read.
    pub fn from_onnx(name: NetName, bytes: &[u8], input: &[usize], output_len: usize) -> Result<Self, WeightsError> {
        let unusable = |message: String| WeightsError::Unusable {
            net: name.as_str(),
            message,
        };
        let model = load_onnx(bytes).map_err(|error| unusable(format!("{error:#}")))?;
        let fact = model.input_fact(0).map_err(|error| unusable(format!("{error:#}")))?;
        let Some(found) = fact.shape.as_concrete() else {
            return Err(unusable("its input shape is not fixed".into()));
        };
        if found != input {
            return Err(unusable(format!("its input is {found:?}, not {input:?}")));
        }
        let state = model
            .into_runnable()
            .and_then(|plan| plan.spawn())
            .map_err(|error| unusable(format!("{error:#}")))?;
        let mut net = Self {
            name,
            state,
            input_shape: input.into(),
            input: vec![0.0; input.iter().product()],
            output: Vec::with_capacity(output_len),
        };
        let found = net.run()?.len();
        if found != output_len {
            return Err(unusable(format!("it answers with {found} numbers, not {output_len}")));
        }
        Ok(net)
    }

    /// The input buffer, to be filled before [`Net::run`].
    pub fn input(&mut self) -> &mut [f32] {
        &mut self.input
    }

    /// Runs the net on what its input buffer holds.
    pub fn run(&mut self) -> Result<&[f32], WeightsError> {
        let result = Tensor::from_shape(&self.input_shape, &self.input).and_then(|input| {
            let outputs = self.state.run(tvec!(input.into()))?;
            self.output.clear();
            self.output
                .extend_from_slice(outputs[0].try_as_plain_ram()?.as_slice::<f32>()?);
            Ok(())
        });
        match result {
            Ok(()) => Ok(&self.output),
            Err(error) => Err(WeightsError::Unusable {
                net: self.name.as_str(),
                message: format!("{error:#}"),
            }),
        }
    }
}

fn load_onnx(bytes: &[u8]) -> TractResult<TypedModel> {
    tract_onnx::onnx().model_for_read(&mut &*bytes)?.into_optimized()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(NetName, &[usize], usize); 3] = [
        (NetName::Finder, &[1, 1, 120, 160], 1800),
        (NetName::Landmarks, &[1, 1, 64, 64], 49),
        (NetName::Eyes, &[1, 1, 32, 48], 13),
    ];

    fn golden(name: NetName, kind: &str) -> Vec<f32> {
        let path = format!(
            "{}/models/golden/{}_{kind}.f32",
            env!("CARGO_MANIFEST_DIR"),
            name.as_str()
        );
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect()
    }

    /// A copy of the weights' folder with one change made to it.
    fn changed(change: impl FnOnce(&Path)) -> (tempfile::TempDir, Weights) {
        let folder = tempfile::tempdir().expect("a folder");
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        for file in ["manifest.toml", "finder.onnx", "landmarks.onnx", "eyes.onnx"] {
            std::fs::copy(models.join(file), folder.path().join(file)).expect("copies");
        }
        change(folder.path());
        let weights = Weights::Folder(folder.path().to_owned());
        (folder, weights)
    }

    #[test]
    fn every_net_answers_as_where_it_was_trained() {
        for (name, input, outputs) in ALL {
            let mut net = Weights::BuiltIn
                .load(name, input, outputs)
                .expect("built-in weights load");
            net.input().copy_from_slice(&golden(name, "input"));
            let expected = golden(name, "output");
            let found = net.run().expect("it runs");
            assert_eq!(found.len(), expected.len());
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let tolerance = 2e-3 * (1.0 + expected.abs());
                assert!(
                    (found - expected).abs() < tolerance,
                    "{name:?}[{index}]: {found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn the_manifest_and_so_the_version_covers_the_prior_of_calibration() {
        let manifest = Weights::BuiltIn.manifest().expect("the built-in manifest");
        let digest = hex(&Sha256::digest(include_bytes!("../models/gaze_prior.json")));
        let prior = manifest.prior.expect("a prior");
        assert_eq!(prior.sha256, digest, "run `python -m models.train prior`");
    }

    #[test]
    fn only_what_makes_features_makes_another_version() {
        let version = |weights: &Weights| weights.version().expect("a version");
        let with_other = |net: &str| {
            let (_folder, weights) = changed(|folder| {
                let path = folder.join("manifest.toml");
                let text = std::fs::read_to_string(&path).expect("a manifest");
                let (before, section) = text.split_once(&format!("[nets.{net}]")).expect("a section");
                let section = section.replacen("sha256 = \"", "sha256 = \"0", 1);
                std::fs::write(&path, format!("{before}[nets.{net}]{section}")).expect("writes");
            });
            version(&weights)
        };
        let built_in = version(&Weights::BuiltIn);
        assert_eq!(built_in.len(), 12);
        for net in ["landmarks", "eyes"] {
            assert_ne!(with_other(net), built_in, "{net}");
        }
        assert_ne!(with_other("landmarks"), with_other("eyes"));
        for net in ["finder", "forecast"] {
            assert_eq!(with_other(net), built_in, "{net}");
        }
    }

    #[test]
    fn weights_that_do_not_match_their_manifest_are_refused() {
        let load = |weights: &Weights| weights.load(NetName::Eyes, ALL[2].1, ALL[2].2).err();
        let (_folder, weights) = changed(|_| ());
        assert!(load(&weights).is_none());

        let (_folder, weights) = changed(|folder| {
            let path = folder.join("eyes.onnx");
            let mut bytes = std::fs::read(&path).expect("weights");
            bytes[1000] ^= 1;
            std::fs::write(path, bytes).expect("writes");
        });
        assert!(matches!(
            load(&weights),
            Some(WeightsError::Mismatch { net: "eyes", .. })
        ));

        let (_folder, weights) = changed(|folder| std::fs::remove_file(folder.join("eyes.onnx")).expect("removes"));
        assert!(matches!(load(&weights), Some(WeightsError::Unreadable { .. })));

        let (_folder, weights) =
            changed(|folder| std::fs::write(folder.join("manifest.toml"), "nets = 3").expect("writes"));
        assert!(matches!(load(&weights), Some(WeightsError::Manifest { .. })));

        let (_folder, weights) =
            changed(|folder| std::fs::write(folder.join("manifest.toml"), "[nets]").expect("writes"));
        assert!(matches!(
            load(&weights),
            Some(WeightsError::Missing { net: "eyes", .. })
        ));
    }

    #[test]
    fn files_that_are_no_nets_or_of_another_shape_are_refused() {
        for bytes in [&b""[..], b"not a net", &[0xff; 4096]] {
            assert!(Net::from_onnx(NetName::Eyes, bytes, &[1, 1, 32, 48], 13).is_err());
        }
        let landmarks = built_in(NetName::Landmarks);
        assert!(Net::from_onnx(NetName::Eyes, landmarks, &[1, 1, 32, 48], 13).is_err());
        assert!(Net::from_onnx(NetName::Eyes, landmarks, &[1, 1, 64, 64], 13).is_err());
    }
}
