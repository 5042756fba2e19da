// The chest as a drawing, as on a frontal X-ray: the patient's right is on the left. Units are those of VIEW_BOX.
// Shapes are in the order they are painted, so that small structures lie on top of large ones.

export const VIEW_BOX = "0 0 240 212";

const RIGHT_LUNG = "M88 26C66 24 46 44 36 78C28 106 24 142 25 172C46 158 80 152 104 158C106 130 106 104 103 76C102 52 100 30 88 26Z";
const LEFT_LUNG = "M152 26C174 24 194 44 204 78C212 106 216 142 215 172C196 160 182 156 170 156C170 138 152 122 138 108C136 96 136 84 137 76C138 52 140 30 152 26Z";
const MIRROR = "matrix(-1 0 0 1 240 0)";

// The silhouette around them, which cannot be picked.
export const BODY = "M104 0C104 12 100 18 88 21C62 26 30 28 14 48C4 62 4 92 8 124L14 212H226L232 124C236 92 236 62 226 48C210 28 178 26 152 21C140 18 136 12 136 0Z";
export const LUNGS = { right: RIGHT_LUNG, left: LEFT_LUNG };

const ZONES = [["lower lung zone", 122, 60], ["mid lung zone", 86, 36], ["upper lung zone", 52, 34], ["apical zone", 20, 32]];

// A part of a lung between two heights, cut to the lung's outline by the map.
const zone = (side, name, y, height) => ({ region: `${side} ${name}`, rect: [side === "right" ? 10 : 120, y, 110, height], lung: side });

// One structure and its twin.
const both = (name, path) => [{ region: `right ${name}`, path }, { region: `left ${name}`, path, transform: MIRROR }];

export const SHAPES = [
  { region: "abdomen", path: "M26 184C50 166 84 164 106 168L134 168C156 164 190 166 214 184L217 212H23Z" },
  { region: "spine", path: "M113 0H127V212H113Z" },
  { region: "right lung", path: RIGHT_LUNG, rim: true },
  { region: "left lung", path: LEFT_LUNG, rim: true },
  ...ZONES.flatMap(([name, y, height]) => [zone("right", name, y, height), zone("left", name, y, height)]),
  { region: "mediastinum", path: "M104 74H136V112L128 128H108L103 112Z" },
  { region: "upper mediastinum", path: "M101 34C101 30 104 28 108 28H132C136 28 139 30 139 34L137 72H103Z" },
  { region: "cardiac silhouette", path: "M112 108C118 102 130 102 138 108C156 120 171 138 171 154C171 164 158 167 140 167L110 166C104 158 100 146 102 132Z" },
  { region: "right atrium", path: "M107 114C96 120 93 136 96 150C98 159 103 164 109 165C106 152 104 134 107 114Z" },
  { region: "svc", path: "M102 62C104 60 107 60 109 62L108 104H103Z" },
  { region: "cavoatrial junction", circle: [105.5, 109, 6.5] },
  { region: "aortic arch", path: "M128 66C138 58 149 64 148 75C147 84 138 87 130 82Z" },
  { region: "trachea", path: "M115 2H125V72H115Z" },
  { region: "carina", path: "M115 70H125L134 86L128 90L120 80L112 90L106 86Z" },
  ...both("hilar structures", "M101 88C91 88 84 97 86 108C87 117 94 122 101 120C103 110 103 98 101 88Z"),
  ...both("costophrenic angle", "M25 150C34 150 46 156 50 161C42 164 32 169 24 176C21 168 22 158 25 150Z"),
  ...both("hemidiaphragm", "M49 162C66 155 86 153 104 158L104 165C86 160 66 162 51 168Z"),
  ...both("clavicle", "M110 46C96 48 78 42 64 36C52 31 42 32 33 36L31 30C42 24 54 24 67 29C82 35 96 40 109 39Z"),
];
