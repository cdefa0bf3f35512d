//! The picture that other sites show of a paper: its title and its verdicts.

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pressrun_catalog::Paper;
use pressrun_lab::Outcome;
use tiny_skia::{Color, FillRule, Paint, PathBuilder, Pixmap, Rect, Transform};
use ttf_parser::{Face, OutlineBuilder};

use crate::format::line;
use crate::view::badge;

/// The size that sites ask for.
pub(crate) const WIDTH: u32 = 1200;
/// As [`WIDTH`].
pub(crate) const HEIGHT: u32 = 630;

const FONT: &[u8] = include_bytes!("../assets/font/DejaVuSans-Bold.ttf");
const MARGIN: f32 = 70.0;
/// Authors named.
const AUTHORS: usize = 4;

const PAPER: [u8; 3] = [0xfb, 0xfa, 0xf7];
const INK: [u8; 3] = [0x1c, 0x1e, 0x21];
const FAINT: [u8; 3] = [0x5f, 0x63, 0x68];

/// None if the file that is part of the program were no font; a test says that it is one.
static FACE: LazyLock<Option<Face<'static>>> = LazyLock::new(|| Face::parse(FONT, 0).ok());

/// The picture of a paper as a PNG; none if there is no font or no memory.
pub(crate) fn draw(paper: &Paper) -> Option<Vec<u8>> {
    let face = FACE.as_ref()?;
    let mut pixels = Pixmap::new(WIDTH, HEIGHT)?;
    pixels.fill(Color::from_rgba8(PAPER[0], PAPER[1], PAPER[2], 255));
    let mut sheet = Sheet { face, pixels };
    let room = WIDTH as f32 - 2.0 * MARGIN;
    let title = line(&paper.title);
    // So many lines of that size leave room for the authors above the verdicts.
    let (size, lines) = if title.chars().count() > 90 { (46.0, 5) } else { (58.0, 4) };
    let mut y = MARGIN + size;
    for text in wrapped(face, &title, size, room, lines) {
        sheet.text(&text, MARGIN, y, size, INK);
        y += size * 1.25;
    }
    let named = paper.authors.iter().take(AUTHORS).map(String::as_str).collect::<Vec<_>>();
    let more = if paper.authors.len() > AUTHORS { " and others" } else { "" };
    let names = line(&named.join(", ")) + more;
    if let Some(names) = wrapped(face, &names, 26.0, room, 1).into_iter().next() {
        sheet.text(&names, MARGIN, y + 8.0, 26.0, FAINT);
    }
    let counts = paper.verdicts.filter(|counts| counts.total() > 0);
    let verdict = counts.map_or_else(
        || "Not run yet".to_owned(),
        |counts| format!("{}/{} claims reproduced", counts.reproduced, counts.total()),
    );
    if let Some(counts) = counts {
        let outcomes = badge::each(&counts);
        let squares = outcomes.into_iter().flat_map(|(o, n)| std::iter::repeat_n(o, n as usize));
        for (at, outcome) in squares.take(24).enumerate() {
            sheet.square(MARGIN + at as f32 * 42.0, 470.0, 34.0, colour(outcome));
        }
    }
    sheet.text(&verdict, MARGIN, 560.0, 38.0, INK);
    let name = "Pressrun";
    sheet.text(name, WIDTH as f32 - MARGIN - width(face, name, 30.0), 560.0, 30.0, FAINT);
    Some(png(&sheet.pixels))
}

/// The colour of an outcome, as on a badge.
fn colour(outcome: Outcome) -> [u8; 3] {
    match outcome {
        Outcome::Reproduced => [0x1a, 0x7f, 0x37],
        Outcome::Partly => [0xb0, 0x78, 0x00],
        Outcome::NotAtThisScale => [0xb3, 0x26, 0x1e],
        Outcome::NotTested => [0xb4, 0xb8, 0xbd],
    }
}

struct Sheet<'a> {
    face: &'a Face<'static>,
    pixels: Pixmap,
}

impl Sheet<'_> {
    /// Draws a text from `x` on, with `y` as its base line.
    fn text(&mut self, text: &str, x: f32, y: f32, size: f32, colour: [u8; 3]) {
        let scale = size / f32::from(self.face.units_per_em());
        let mut pen = Pen { path: PathBuilder::new(), x, y, scale };
        for c in text.chars() {
            let Some(glyph) = glyph(self.face, c) else { continue };
            // A space has no outline, and that is right.
            let _ = self.face.outline_glyph(glyph, &mut pen);
            pen.x += f32::from(self.face.glyph_hor_advance(glyph).unwrap_or(0)) * scale;
        }
        if let Some(path) = pen.path.finish() {
            let whole = Transform::identity();
            self.pixels.fill_path(&path, &paint(colour), FillRule::Winding, whole, None);
        }
    }

    fn square(&mut self, x: f32, y: f32, side: f32, colour: [u8; 3]) {
        if let Some(rect) = Rect::from_xywh(x, y, side, side) {
            self.pixels.fill_rect(rect, &paint(colour), Transform::identity(), None);
        }
    }
}

fn paint([r, g, b]: [u8; 3]) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(r, g, b, 255);
    paint
}

/// The glyph of a character; of one that the font lacks, that of the replacement character.
fn glyph(face: &Face<'_>, c: char) -> Option<ttf_parser::GlyphId> {
    face.glyph_index(c).or_else(|| face.glyph_index('\u{fffd}'))
}

fn width(face: &Face<'_>, text: &str, size: f32) -> f32 {
    let advance = |c| face.glyph_hor_advance(glyph(face, c)?);
    let units: f32 = text.chars().filter_map(advance).map(f32::from).sum();
    units * size / f32::from(face.units_per_em())
}

/// A text cut into lines at its spaces, at most so many, the last of which ends in dots if there is
/// more; a word that is wider than a line is cut within.
fn wrapped(face: &Face<'_>, text: &str, size: f32, room: f32, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut now = String::new();
    for word in text.split(' ') {
        let longer = if now.is_empty() { word.to_owned() } else { format!("{now} {word}") };
        if width(face, &longer, size) <= room {
            now = longer;
            continue;
        }
        if !now.is_empty() {
            lines.push(std::mem::take(&mut now));
        }
        if lines.len() > most {
            break;
        }
        for c in word.chars() {
            now.push(c);
            if width(face, &now, size) > room {
                now.pop();
                lines.push(std::mem::replace(&mut now, c.to_string()));
                if lines.len() > most {
                    break;
                }
            }
        }
    }
    if !now.is_empty() {
        lines.push(now);
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            while !last.is_empty() && width(face, &format!("{last}…"), size) > room {
                last.pop();
            }
            last.push('…');
        }
    }
    lines
}

/// Turns an outline of the font into a path on the sheet, whose `y` runs the other way.
struct Pen {
    path: PathBuilder,
    x: f32,
    y: f32,
    scale: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

/// The pixels as a PNG of eight bits, three colours, no filter. Written here because the crates that
/// write PNG would turn on features of crates that the engine is built with.
fn png(pixels: &Pixmap) -> Vec<u8> {
    let row = pixels.width() as usize * 4;
    let mut rows = Vec::with_capacity(pixels.data().len());
    for line in pixels.data().chunks_exact(row) {
        rows.push(0);
        // Nothing on the sheet is transparent, so that colours are not multiplied by anything.
        rows.extend(line.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]));
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory never fails.
    let _ = packed.write_all(&rows);
    let packed = packed.finish().unwrap_or_default();
    let mut header = Vec::with_capacity(13);
    header.extend(pixels.width().to_be_bytes());
    header.extend(pixels.height().to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", &header), (b"IDAT", &packed), (b"IEND", &Vec::new())] {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        out.extend(length.to_be_bytes());
        out.extend(kind);
        out.extend(data);
        let mut sum = crc32fast::Hasher::new();
        sum.update(kind);
        sum.update(data);
        out.extend(sum.finalize().to_be_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::hostile;

    #[test]
    fn every_title_has_a_picture_of_the_right_size() {
        for paper in hostile() {
            let picture = draw(&paper).unwrap();
            assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
            assert_eq!(&picture[16..24], [0, 0, 4, 176, 0, 0, 2, 118]);
            assert!(picture.len() < 200_000, "{} bytes", picture.len());
        }
    }

    #[test]
    fn lines_fit_and_end_in_dots() {
        let face = FACE.as_ref().unwrap();
        for text in ["word ".repeat(300), "x".repeat(3000), "short".into(), String::new()] {
            let lines = wrapped(face, text.trim(), 58.0, 1000.0, 4);
            assert!(lines.len() <= 4, "{}", lines.len());
            assert!(lines.iter().all(|line| width(face, line, 58.0) <= 1000.0), "{lines:?}");
            assert_eq!(text.len() > 100, lines.last().is_some_and(|line| line.ends_with('…')));
        }
    }
}
