//! A shape as lines of text.

use super::Shape;

/// One line for each object and each part of it, the columns in their order; a definition of several lines is indented.
#[must_use]
pub fn text(shape: &Shape) -> String {
    let mut out = String::new();
    for (name, object) in &shape.objects {
        line(&mut out, 0, &name.to_string(), &object.definition);
        for column in Shape::columns(object) {
            line(&mut out, 4, &column.to_string(), &object.parts[column].definition);
        }
        for (name, part) in object.parts.iter().filter(|(_, part)| part.position == 0) {
            line(&mut out, 4, &name.to_string(), &part.definition);
        }
    }
    out
}

fn line(out: &mut String, indent: usize, name: &str, definition: &str) {
    let pad = " ".repeat(indent);
    let mut lines = definition.lines();
    out.push_str(format!("{pad}{name} {}", lines.next().unwrap_or_default().trim_start()).trim_end());
    out.push('\n');
    for more in lines {
        out.push_str(format!("{pad}    {more}").trim_end());
        out.push('\n');
    }
}
