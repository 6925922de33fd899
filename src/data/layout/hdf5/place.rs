//! Which group of a file holds the datasets.

use std::collections::VecDeque;
use std::path::Path;

use hdf5_metno::{File, Group};

use super::dataset::Found;
use super::{CHALLENGE, HITS, OWN, SPARSE};
use crate::data::h5;
use crate::data::layout::sparse::{Part, Sparse};
use crate::{Error, Result};

/// Groups are looked for this deep and up to this many: a file may link groups in a circle.
const DEPTH: usize = 3;
const GROUPS: usize = 256;

/// A group that may hold the datasets.
pub(super) struct Place {
    group: Group,
    /// Path before the names of its members: empty at the root, else `30x30/`.
    prefix: String,
    members: Vec<String>,
}

impl Place {
    /// The root if it has both `layers` and `energy`, else the one group that does.
    pub(super) fn find(path: &Path, file: &File) -> Result<Self> {
        let root = file
            .group("/")
            .map_err(|e| h5::failed(path, "root group", e))?;
        let mut places = Vec::new();
        let mut found = Vec::new();
        let mut queue = VecDeque::from([(root, String::new(), 0)]);
        while let Some((group, prefix, depth)) = queue.pop_front() {
            let members = group
                .member_names()
                .map_err(|e| h5::failed(path, &format!("group `/{prefix}`"), e))?;
            for name in &members {
                if let Ok(data) = group.dataset(name) {
                    found.push(format!("dataset `{prefix}{name}` {:?}", data.shape()));
                } else if let Ok(inner) = group.group(name) {
                    found.push(format!("group `{prefix}{name}`"));
                    if depth < DEPTH && places.len() + queue.len() < GROUPS {
                        queue.push_back((inner, format!("{prefix}{name}/"), depth + 1));
                    }
                }
            }
            let place = Self {
                group,
                prefix,
                members,
            };
            if depth == 0 && place.qualifies() {
                return Ok(place);
            }
            places.push(place);
        }
        let names: Vec<_> = places
            .iter()
            .filter(|p| p.qualifies())
            .map(|p| format!("`{}`", p.prefix))
            .collect();
        if names.len() > 1 {
            let what = format!(
                "several groups hold `layers` and `energy`, expected one: {}",
                names.join(", ")
            );
            return Err(Error::format(path, what));
        }
        let half = |[cells, energy]: [&'static str; 2]| {
            let p = places.iter().find(|p| p.has(cells) || p.has(energy))?;
            let (absent, there) = match p.has(cells) {
                true => (energy, cells),
                false => (cells, energy),
            };
            Some(format!(
                "no dataset `{0}{absent}` beside `{0}{there}`",
                p.prefix
            ))
        };
        // `showers` alone may be anybody's.
        let challenge = || half(CHALLENGE).filter(|what| !what.ends_with("`showers`"));
        // Energies alone may be anybody's.
        let hits = places
            .iter()
            .find(|p| p.has(SPARSE[0]) && HITS.iter().any(|h| p.has(h)))
            .and_then(|p| {
                let absent = [SPARSE[1], HITS[0], HITS[1]];
                let absent = absent.into_iter().find(|name| !p.has(name))?;
                Some(format!(
                    "no dataset `{0}{absent}` beside `{0}energies`",
                    p.prefix
                ))
            });
        let missing = hits
            .or_else(|| half(OWN))
            .or_else(challenge)
            .unwrap_or_else(|| "no datasets `layers` and `energy`".into());
        places.into_iter().find(Self::qualifies).ok_or_else(|| {
            let more = found.len().saturating_sub(16);
            found.truncate(16);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let found = if found.is_empty() {
                "nothing".into()
            } else {
                found.join(", ")
            };
            Error::format(path, format!("{missing}; found {found}{more}"))
        })
    }

    fn has(&self, name: &str) -> bool {
        self.members.iter().any(|m| m == name)
    }

    /// The names of cells and incident energies here, if both are.
    pub(super) fn names(&self) -> Option<[&'static str; 2]> {
        let both = |names: &[&str; 2]| names.iter().all(|name| self.has(name));
        let all = |names: &[&str; 2]| both(names) && (*names != SPARSE || both(&HITS));
        [OWN, CHALLENGE, SPARSE].into_iter().find(all)
    }

    fn qualifies(&self) -> bool {
        self.names().is_some()
    }

    pub(super) fn column(&self, path: &Path, name: &str) -> Result<Found> {
        Found::open(path, &self.group, &self.prefix, name)
    }

    /// The parts of a file of hits, whose energies are `energies`, checked.
    pub(super) fn hits(
        &self,
        path: &Path,
        energies: &Found,
        shape: [usize; 3],
        events: usize,
    ) -> Result<Sparse> {
        let part = |found: &Found| {
            let [len] = found.dims[..] else {
                let what = format!("shape {:?}, expected one axis", found.dims);
                return Err(found.wrong(path, what));
            };
            // There may be no hits at all.
            if len > 0 {
                found.written(path)?;
            }
            Ok(Part {
                data: found.data.clone(),
                name: found.name.clone(),
                len,
            })
        };
        let whole = |name| {
            let found = self.column(path, name)?;
            match h5::is_integer(&found.data) {
                Ok(true) => part(&found),
                _ => Err(found.wrong(path, "expected whole numbers".into())),
            }
        };
        let hits = Sparse {
            offsets: whole(HITS[0])?,
            cells: whole(HITS[1])?,
            energies: part(energies)?,
            count: shape.iter().product(),
        };
        hits.check(path, events)?;
        Ok(hits)
    }

    pub(super) fn optional(&self, path: &Path, name: &str) -> Result<Option<Found>> {
        if self.has(name) {
            self.column(path, name).map(Some)
        } else {
            Ok(None)
        }
    }
}
