use proptest::prelude::*;

use super::*;

/// Ten words with numbers of different sizes.
fn small() -> StaticModel {
    let words: Vec<String> = (0..10).map(|i| format!("word{i}x")).collect();
    let vocabulary = Vocabulary::new(words.iter().map(String::as_str));
    let number = |i: usize| (i as f32 * 0.7).sin() * (1 + i / DIMS) as f32;
    let rows: Vec<f32> = (0..10 * DIMS).map(number).collect();
    StaticModel::quantised(vocabulary, &rows, 0.25)
}

#[test]
fn a_file_comes_back() {
    let model = small();
    let file = model.write().unwrap();
    let read = StaticModel::read(&file).unwrap();
    assert_eq!(read, model);
    assert_eq!(read.write().unwrap(), file);
    assert_eq!(Embedder::identity(&read), Embedder::identity(&model));
    assert_eq!(read.embed("word3x, and others"), model.embed("word3x, and others"));
    let empty = StaticModel::quantised(Vocabulary::new([]), &[], 0.0);
    assert_eq!(StaticModel::read(&empty.write().unwrap()).unwrap(), empty);
    assert_eq!(empty.embed("3"), [0.0; DIMS]);
}

#[test]
fn what_is_wrong_with_a_file_is_told() {
    let file = small().write().unwrap();
    let error = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = file.clone();
        change(&mut file);
        StaticModel::read(&file).unwrap_err().to_string()
    };
    assert_eq!(error(&|f| f[0] = 0), "not a static model: the file does not begin with `PRSTATIC`");
    assert_eq!(error(&|f| f[8] = 2), "`version` is `2`; expected `1`");
    assert_eq!(error(&|f| f[12] = 1), "`numbers in a vector` is `257`; expected `256`");
    let ends = "the file ends within `words` at byte 16; expected 4 more bytes";
    assert_eq!(error(&|f| f.truncate(18)), ends);
    let long = file.len();
    assert_eq!(
        error(&|f| f.push(0)),
        format!("the file has {} bytes; expected {long} by its header", long + 1)
    );
    assert!(error(&|f| f[long - 1] ^= 1).starts_with("the contents' checksum is `"));
    // With a checksum that fits.
    let repaired = |change: &dyn Fn(&mut Vec<u8>)| {
        error(&|file| {
            change(file);
            let sum = format::checksum_of(file);
            file[32..40].copy_from_slice(&sum.to_le_bytes());
        })
    };
    assert_eq!(repaired(&|f| f[41] = 255), "word 1: expected UTF-8 within the words");
    assert_eq!(repaired(&|f| f[49] = 5), "word 10: expected no bytes after the last word");
    assert_eq!(repaired(&|f| f[50] = 0xff), "word 0: expected UTF-8 within the words");
    let scale = 40 + 10 + 60;
    let found = repaired(&|f| f[scale..scale + 4].copy_from_slice(&f32::NAN.to_le_bytes()));
    assert_eq!(found, "the scale of row 0 is `NaN`; expected a finite number");
    let found = repaired(&|f| f[24..28].copy_from_slice(&f32::INFINITY.to_le_bytes()));
    assert_eq!(found, "the size of unknown words is `inf`; expected a finite number");
}

#[test]
fn a_model_that_is_too_large_is_not_written() {
    let words = vec!["word"; 31_000];
    let model = StaticModel::quantised(Vocabulary::new(words), &vec![0.5; 31_000 * DIMS], 0.1);
    let error = model.write().unwrap_err();
    assert_eq!(error, ModelError::TooLarge { bytes: 40 + 31_000 * 265 });
    let long = "x".repeat(256);
    let model = StaticModel::quantised(Vocabulary::new([&long[..]]), &[1.0; DIMS], 0.1);
    assert!(matches!(model.write(), Err(ModelError::Word { row: 0, .. })));
}

#[test]
fn rows_keep_their_numbers_to_half_a_step() {
    let model = small();
    for row in 0..10 {
        let vector = model.vector(row);
        for (j, found) in vector.iter().enumerate() {
            let i = row * DIMS + j;
            let exact = (i as f32 * 0.7).sin() * (1 + row) as f32;
            assert!((found - exact).abs() <= (1 + row) as f32 / 127.0 * 0.51, "{row} {j}");
        }
    }
}

/// sqrt(2) times the row of the word that stands there twice, by the definition.
#[test]
fn repetitions_count_by_their_root() {
    let model = small();
    let mut by_hand: Vector =
        std::array::from_fn(|j| 2f32.sqrt() * model.vector(4)[j] + model.vector(7)[j]);
    normalise(&mut by_hand);
    let found = model.embed("word4x word7x, Word4Xs");
    assert!(found.iter().zip(by_hand).all(|(f, e)| (f - e).abs() < 1e-6));
    let length: f32 = found.iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-5);
    // Of words without a row, too; numbers count nothing.
    let once = model.embed("unknown");
    let twice = model.embed("unknown 93.7 unknown");
    assert!(twice.iter().zip(once).all(|(f, e)| (f - e).abs() < 1e-6));
    assert!(once.iter().all(|x| (x.abs() - 1.0 / 16.0).abs() < 1e-6));
    // More than are told apart.
    let many = model.embed(&"word4x ".repeat(300));
    assert!(many.iter().zip(model.embed("word4x")).all(|(f, e)| (f - e).abs() < 1e-6));
}

#[test]
fn a_bag_is_empty_after_each_text() {
    let model = small();
    let texts = ["word1x word2x", "", "word1x unknown", "word9x"];
    let together = Embedder::embed(&model, &texts);
    for (text, found) in texts.iter().zip(together.chunks(DIMS)) {
        assert_eq!(found, model.embed(text));
    }
}

#[test]
fn the_shipped_model_is_whole() {
    let model = shipped();
    let file = include_bytes!("../../model/static-256.bin");
    assert!(file.len() <= MAX_FILE);
    assert_eq!(model.write().unwrap(), file);
    let zero = (0..model.vocabulary().len()).filter(|row| model.vector(*row) == [0.0; DIMS]);
    assert_eq!(zero.count(), 0);
    let norm = |word| {
        let row = model.vocabulary().row(word).unwrap();
        model.vector(row as usize).iter().map(|x| x * x).sum::<f32>().sqrt()
    };
    assert!(norm("model") < norm("segmentation"));
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = StaticModel::read(&bytes);
        let mut file = b"PRSTATIC\x01\0\0\0\0\x01\0\0".to_vec();
        file.extend_from_slice(&bytes);
        let _ = StaticModel::read(&file);
    }

    #[test]
    fn any_changed_file_is_told(at in 0usize..3500, by in 1u8..) {
        let mut file = small().write().unwrap();
        let at = at % file.len();
        file[at] ^= by;
        prop_assert!(StaticModel::read(&file).is_err());
        prop_assert!(StaticModel::read(&file[..at]).is_err());
    }

    #[test]
    fn any_words_come_back(list in prop::collection::hash_set("[a-z]{1,9}x", 0..30), text in "\\PC{0,40}") {
        let vocabulary = Vocabulary::new(list.iter().map(String::as_str));
        for (row, word) in list.iter().enumerate() {
            prop_assert_eq!(vocabulary.row(word), Some(row as u32));
        }
        let rows = vec![0.5; vocabulary.len() * DIMS];
        let model = StaticModel::quantised(vocabulary, &rows, 0.5);
        prop_assert_eq!(&StaticModel::read(&model.write().unwrap()).unwrap(), &model);
        let x = model.embed(&text);
        prop_assert!(x.iter().all(|x| x.is_finite()));
    }
}
