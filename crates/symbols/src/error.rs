use thiserror::Error;

/// Why a text cannot be shown or played. Checks run in the order of the variants.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SymbolError {
    /// No symbol can carry nothing.
    #[error("the text is empty")]
    Empty,
    /// `length` and `max` count bytes of UTF-8, which for digits is the number of digits.
    #[error("the text has {length} bytes, at most {max} fit")]
    TooLong { length: usize, max: usize },
    /// `position` counts from 0 and names the first character that is not an ASCII digit.
    #[error("the character at position {position} is not a digit from 0 to 9")]
    NotDigits { position: usize },
    /// Pixels per module, from 1 to `max`.
    #[error("the scale {scale} is not between 1 and {max}")]
    ScaleOutOfRange { scale: u32, max: u32 },
    /// Height of the bars in modules, from 1 to `max`.
    #[error("the height of {height_modules} modules is not between 1 and {max}")]
    HeightOutOfRange { height_modules: u32, max: u32 },
    /// Loudness in percent of full scale.
    #[error("the volume {volume} is not between 1 and 100")]
    VolumeOutOfRange { volume: u8 },
}
