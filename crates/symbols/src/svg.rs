//! The few SVG elements that symbols need, written without a formatter: drawing takes a small part
//! of the time that encoding takes.

/// An SVG picture whose unit is one module: white ground, black shapes, a title for those who listen.
#[derive(Debug)]
pub(crate) struct Drawing {
    text: String,
}

impl Drawing {
    /// Opens a picture of `width` × `height` modules and its one path.
    pub(crate) fn new((width, height): (u32, u32), title: &str) -> Self {
        let mut drawing = Self {
            text: String::with_capacity(4096),
        };
        drawing.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ");
        drawing.number(width);
        drawing.raw(" ");
        drawing.number(height);
        drawing.raw("\" role=\"img\" shape-rendering=\"crispEdges\"><title>");
        drawing.escaped(title);
        drawing.raw("</title><rect width=\"");
        drawing.number(width);
        drawing.raw("\" height=\"");
        drawing.number(height);
        drawing.raw("\" fill=\"#fff\"/><path fill=\"#000\" d=\"");
        drawing
    }

    /// Adds a black rectangle to the path.
    pub(crate) fn bar(&mut self, (x, y): (u32, u32), width: u32, height: u32) {
        self.raw("M");
        self.number(x);
        self.raw(" ");
        self.number(y);
        self.raw("h");
        self.number(width);
        self.raw("v");
        self.number(height);
        self.raw("h-");
        self.number(width);
        self.raw("z");
    }

    /// Closes the picture.
    pub(crate) fn finish(mut self) -> String {
        self.raw("\"/></svg>");
        self.text
    }

    /// Closes the picture with a line of text centred at `x`, its baseline at `y`, 10 modules high.
    pub(crate) fn finish_with_caption(mut self, (x, y): (u32, u32), caption: &str) -> String {
        self.raw("\"/><text x=\"");
        self.number(x);
        self.raw("\" y=\"");
        self.number(y);
        self.raw("\" fill=\"#000\" font-family=\"monospace\" font-size=\"10\" text-anchor=\"middle\">");
        self.escaped(caption);
        self.raw("</text></svg>");
        self.text
    }

    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn number(&mut self, number: u32) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.text.push(char::from(b'0' + (number % 10) as u8));
    }

    /// Text content; characters that XML 1.0 forbids even when escaped are left out.
    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '\t' | '\n' | '\r' => self.raw(" "),
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
                _ => self.text.push(character),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_of_every_length() {
        let mut drawing = Drawing { text: String::new() };
        for number in [0, 9, 10, 105, u32::MAX] {
            drawing.number(number);
            drawing.raw(";");
        }
        assert_eq!(drawing.text, "0;9;10;105;4294967295;");
    }

    #[test]
    fn a_title_cannot_break_out_of_its_element() {
        let mut drawing = Drawing::new((1, 1), "</title><script>&\0\u{1b}\u{ffff} 付款\n码");
        drawing.bar((0, 0), 1, 1);
        assert_eq!(
            drawing.finish(),
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\" role=\"img\" \
             shape-rendering=\"crispEdges\"><title>&lt;/title&gt;&lt;script&gt;&amp; 付款 码</title>\
             <rect width=\"1\" height=\"1\" fill=\"#fff\"/>\
             <path fill=\"#000\" d=\"M0 0h1v1h-1z\"/></svg>"
        );
    }
}
