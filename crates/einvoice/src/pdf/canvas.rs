//! Pages as lists of things to draw, and drawing them.

use krilla::color::rgb;
use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::embed::{AssociationKind, EmbeddedFile, MimeType};
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::text::{Font, TextDirection};
use krilla::{Document, SerializeSettings};

use super::PdfError;
use super::fonts::{FontId, Fonts, Weight};
use crate::date::Date;
use crate::invoice::Attachment;

/// A4 in points.
pub(super) const PAGE_WIDTH: f32 = 595.28;
pub(super) const PAGE_HEIGHT: f32 = 841.89;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Quiet,
    Rule,
    Shade,
    Warning,
}

impl Ink {
    fn color(self) -> rgb::Color {
        match self {
            Self::Text => rgb::Color::new(24, 28, 32),
            Self::Quiet => rgb::Color::new(96, 104, 112),
            Self::Rule => rgb::Color::new(176, 184, 192),
            Self::Shade => rgb::Color::new(240, 242, 245),
            Self::Warning => rgb::Color::new(176, 24, 32),
        }
    }
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub size: f32,
    pub weight: Weight,
    pub ink: Ink,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// `x` is the left end, `y` the line the letters stand on.
    Text { x: f32, y: f32, style: Style, text: String },
    Box {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        ink: Ink,
    },
}

/// Measured from the upper left corner.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub shapes: Vec<Shape>,
}

impl Sheet {
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.shapes.iter().filter_map(|shape| match shape {
            Shape::Text { text, .. } => Some(text.as_str()),
            Shape::Box { .. } => None,
        })
    }

    pub(super) fn text(&mut self, x: f32, y: f32, style: Style, text: &str) {
        self.shapes.push(Shape::Text {
            x,
            y,
            style,
            text: text.to_owned(),
        });
    }

    /// Ends at `right`.
    pub(super) fn text_to(&mut self, fonts: &Fonts, right: f32, y: f32, style: Style, text: &str) {
        let x = right - fonts.width(text, style.weight, style.size);
        self.text(x, y, style, text);
    }

    pub(super) fn rule(&mut self, x: f32, y: f32, width: f32) {
        const THICKNESS: f32 = 0.6;
        self.shapes.push(Shape::Box {
            x,
            y,
            width,
            height: THICKNESS,
            ink: Ink::Rule,
        });
    }
}

/// What the file says about itself.
pub(super) struct About {
    pub title: String,
    pub author: String,
    pub language: &'static str,
    pub written_on: Date,
}

/// PDF/A-3U, with files inside. The same sheets and files give the same bytes.
pub(super) fn draw(
    sheets: &[Sheet],
    fonts: &Fonts,
    about: About,
    attached: &[Attachment],
) -> Result<Vec<u8>, PdfError> {
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A3_U)
        .finish()
        .map_err(|error| PdfError::Drawing(format!("{error:?}")))?;
    let mut document = Document::new_with(SerializeSettings {
        configuration,
        ..SerializeSettings::default()
    });
    let files = FontId::ALL.map(|id| Font::new(id.data().into(), 0).expect("the fonts of the program are whole"));
    for sheet in sheets {
        draw_sheet(&mut document, sheet, fonts, &files);
    }
    let written = DateTime::new(about.written_on.year())
        .month(about.written_on.month())
        .day(about.written_on.day())
        .hour(0)
        .minute(0)
        .second(0)
        .utc_offset_hour(0);
    for file in attached {
        let embedded = document.embed_file(embedded(file, written));
        embedded.ok_or_else(|| PdfError::Embedding(format!("{} is attached twice", file.file_name)))?;
    }
    let metadata = Metadata::new()
        .document_id(about.title.clone())
        .title(about.title)
        .authors(vec![about.author])
        .creator("Onescan".to_owned())
        .language(about.language.to_owned())
        .creation_date(written);
    document.set_metadata(metadata);
    document.finish().map_err(|error| PdfError::Drawing(error.to_string()))
}

fn embedded(file: &Attachment, written: DateTime) -> EmbeddedFile {
    let description = file.description.clone();
    EmbeddedFile {
        path: file.file_name.clone(),
        mime_type: MimeType::new(file.media_type.name()),
        description: Some(description.unwrap_or_else(|| file.file_name.clone())),
        association_kind: AssociationKind::Supplement,
        data: file.content.clone().into(),
        modification_date: Some(written),
        compress: Some(true),
        location: None,
    }
}

fn draw_sheet(document: &mut Document, sheet: &Sheet, fonts: &Fonts, files: &[Font; 3]) {
    let settings = PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT).expect("A4 has a size");
    let mut page = document.start_page_with(settings);
    let mut surface = page.surface();
    for shape in &sheet.shapes {
        match shape {
            Shape::Text { x, y, style, text } => {
                surface.set_fill(Some(fill(style.ink)));
                let mut x = *x;
                for run in fonts.runs(text, style.weight) {
                    let font = files[run.font as usize].clone();
                    surface.draw_text(
                        Point::from_xy(x, *y),
                        font,
                        style.size,
                        &run.text,
                        false,
                        TextDirection::LeftToRight,
                    );
                    x += fonts.width(&run.text, style.weight, style.size);
                }
            }
            Shape::Box {
                x,
                y,
                width,
                height,
                ink,
            } => {
                let mut path = PathBuilder::new();
                if let Some(area) = Rect::from_xywh(*x, *y, *width, *height) {
                    path.push_rect(area);
                }
                if let Some(path) = path.finish() {
                    surface.set_fill(Some(fill(*ink)));
                    surface.draw_path(&path);
                }
            }
        }
    }
    surface.finish();
    page.finish();
}

fn fill(ink: Ink) -> Fill {
    Fill {
        paint: ink.color().into(),
        ..Fill::default()
    }
}
