// attention_place: which rows of which head a workgroup of an attention kernel has.

// The head (of all samples) and the first row of a workgroup that has `covered` of a head's rows.
struct Place {
  head: u32,
  first: u32,
}

fn place_of(wid: vec3u, groups: vec3u, rows: u32, covered: u32) -> Place {
  let tiles = (rows + covered - 1u) / covered;
  let group = wid.x + wid.y * groups.x;
  return Place(group / tiles, (group % tiles) * covered);
}
