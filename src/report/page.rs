//! The HTML page: one file with its style and its plots inside, for screen, dark screen and paper.

use super::{Plot, draw, output};
use crate::Result;
use std::path::Path;

/// A page of sections.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The heading of the page.
    pub title: String,
    /// One line below it.
    pub subtitle: String,
    /// Names and values at the top: files, numbers of events, threshold.
    pub meta: Vec<(String, String)>,
    /// From top to bottom.
    pub sections: Vec<Section>,
}

/// A heading with text, tables and plots.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// Paragraphs, separated by empty lines.
    pub text: String,
    /// Below the text.
    pub tables: Vec<Table>,
    /// Below the tables, two or three in a row where there is room.
    pub plots: Vec<Plot>,
}

/// A table; columns of numbers are set to the right.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// One line above; may be empty.
    pub caption: String,
    /// Names of the columns with their units.
    pub columns: Vec<String>,
    /// Cells row by row.
    pub rows: Vec<Vec<String>>,
}

const STYLE: &str = include_str!("page.css");

impl Page {
    /// The page as a complete document that needs no other file.
    pub fn html(&self) -> Result<String> {
        let title = escape(&self.title);
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>\n{STYLE}{}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n",
            dark_plots()
        );
        if !self.subtitle.is_empty() {
            html += &format!("<p>{}</p>\n", escape(&self.subtitle));
        }
        if !self.meta.is_empty() {
            html += "<dl>\n";
            for (name, value) in &self.meta {
                html += &format!(
                    "<div><dt>{}</dt><dd>{}</dd></div>\n",
                    escape(name),
                    escape(value)
                );
            }
            html += "</dl>\n";
        }
        html += "</header>\n<main>\n";
        for section in &self.sections {
            section.append_to(&mut html)?;
        }
        html += "</main>\n</body>\n</html>\n";
        Ok(html)
    }

    /// Writes the page beside `path`, then renames it.
    pub fn write(&self, path: &Path) -> Result<()> {
        output::write_atomically(path, self.html()?.as_bytes())
    }
}

impl Section {
    fn append_to(&self, html: &mut String) -> Result<()> {
        *html += "<section>\n";
        if !self.heading.is_empty() {
            *html += &format!("<h2>{}</h2>\n", escape(&self.heading));
        }
        for paragraph in self.text.split("\n\n").filter(|p| !p.trim().is_empty()) {
            *html += &format!("<p>{}</p>\n", escape(paragraph.trim()));
        }
        for table in &self.tables {
            table.append_to(html);
        }
        if !self.plots.is_empty() {
            *html += "<div class=\"plots\">\n";
            for plot in &self.plots {
                let class = match plot.wide() {
                    Some(width) => format!(" class=\"wide\" style=\"--width: {width:.0}px\""),
                    None => String::new(),
                };
                *html += &format!("<figure{class}>\n{}</figure>\n", plot.svg()?);
            }
            *html += "</div>\n";
        }
        *html += "</section>\n";
        Ok(())
    }
}

impl Table {
    fn append_to(&self, html: &mut String) {
        let count = self
            .rows
            .iter()
            .map(Vec::len)
            .fold(self.columns.len(), usize::max);
        let numeric: Vec<bool> = (0..count).map(|k| self.is_numeric(k)).collect();
        let cell = |kind: &str, k: usize, text: &str| {
            let class = if numeric[k] { " class=\"number\"" } else { "" };
            format!("<{kind}{class}>{}</{kind}>", escape(text))
        };
        let row = |kind: &str, cells: &[String]| {
            let cells = cells
                .iter()
                .enumerate()
                .map(|(k, text)| cell(kind, k, text));
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        };
        *html += "<div class=\"table\"><table>\n";
        if !self.caption.is_empty() {
            *html += &format!("<caption>{}</caption>\n", escape(&self.caption));
        }
        *html += &format!("<thead>{}</thead>\n<tbody>\n", row("th", &self.columns));
        for cells in &self.rows {
            *html += &row("td", cells);
        }
        *html += "</tbody>\n</table></div>\n";
    }

    /// Whether every cell of column `k` begins like a number or stands for one that is missing.
    fn is_numeric(&self, k: usize) -> bool {
        let mut cells = self
            .rows
            .iter()
            .filter_map(|r| r.get(k))
            .map(|c| c.trim())
            .filter(|c| !c.is_empty())
            .peekable();
        let number = |cell: &str| {
            let digits =
                cell.trim_start_matches(['-', '−', '+', '±', '<', '>', '≤', '≥', '≈', ' ', '.']);
            digits.starts_with(|c: char| c.is_ascii_digit())
                || matches!(cell, "–" | "—" | "-" | "NaN" | "null" | "∞")
        };
        cells.peek().is_some() && cells.all(number)
    }
}

/// Text for an element or an attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Rules that exchange the colours of plots on a dark screen; data colours and maps stay.
fn dark_plots() -> String {
    let mut css = String::from("@media screen and (prefers-color-scheme: dark) {\n");
    for (light, dark) in draw::dark_colors() {
        let (light, dark) = (hex(light), hex(dark));
        css += &format!(
            "svg [fill=\"{light}\"] {{ fill: {dark} }} svg [stroke=\"{light}\"] {{ stroke: {dark} }}\n"
        );
    }
    css + "}\n"
}

fn hex(c: plotters::style::RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", c.0, c.1, c.2)
}
