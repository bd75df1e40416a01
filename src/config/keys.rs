//! Which keys there are, and what an unknown one was probably meant to be.

use toml::{Table, Value};

use super::Config;

/// Refuses a key that [`Config`] does not have, naming the nearest one that it has.
pub(super) fn refuse_unknown(written: &Table) -> Result<(), String> {
    let known = known_keys();
    for key in dotted_keys(written) {
        let is_known = |candidate: &String| *candidate == key || candidate.starts_with(&format!("{key}."));
        if !known.iter().any(is_known) {
            let nearest = nearest(&key, &known).map_or_else(String::new, |found| format!(": did you mean `{found}`?"));
            return Err(format!("unknown key `{key}`{nearest}"));
        }
    }
    Ok(())
}

/// Every key as `section.key`, taken from the defaults themselves. All keys have a default, so none is missing.
fn known_keys() -> Vec<String> {
    Table::try_from(Config::default())
        .map(|table| dotted_keys(&table))
        .unwrap_or_default()
}

pub(super) fn dotted_keys(table: &Table) -> Vec<String> {
    table
        .iter()
        .flat_map(|(name, value)| match value {
            Value::Table(inner) if !inner.is_empty() => dotted_keys(inner)
                .into_iter()
                .map(|key| format!("{name}.{key}"))
                .collect(),
            _ => vec![name.clone()],
        })
        .collect()
}

/// The known key that looks most like `key`, or none where nothing does. A right name in the wrong section counts as near.
fn nearest<'a>(key: &str, known: &'a [String]) -> Option<&'a String> {
    let last = |dotted: &str| dotted.rsplit('.').next().unwrap_or_default().to_string();
    let likeness = |candidate: &String| {
        let whole = strsim::jaro_winkler(key, candidate);
        let name = strsim::jaro_winkler(&last(key), &last(candidate));
        whole.max(0.99 * name)
    };
    known
        .iter()
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        refuse_unknown(&toml::from_str(text).expect("TOML")).expect_err(text)
    }

    #[test]
    fn the_nearest_known_key_is_named() {
        for (text, expected) in [
            (
                "[camera]\nfield_of_veiw_deg = 60",
                "`camera.field_of_veiw_deg`: did you mean `camera.field_of_view_deg`?",
            ),
            ("[camera]\nsize_mm = [1, 2]", "did you mean `screen.size_mm`?"),
            ("[screne]\nsize_px = [1, 2]", "did you mean `screen.size_px`?"),
            (
                "viewing_distance_mm = 600",
                "did you mean `screen.viewing_distance_mm`?",
            ),
            ("[profile]\nname.first = 'a'", "unknown key `profile.name.first`"),
        ] {
            let error = refusal(text);
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(refusal("qqq = 1"), "unknown key `qqq`");
    }

    #[test]
    fn known_keys_and_empty_sections_pass() {
        for text in ["", "[camera]", "[camera]\nname = 'x'", "[clients]\nallowed = []"] {
            assert_eq!(refuse_unknown(&toml::from_str(text).expect("TOML")), Ok(()));
        }
    }
}
