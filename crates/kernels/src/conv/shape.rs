//! Sizes of convolutions.

/// The sizes of a two-dimensional convolution; pairs are vertical, horizontal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dShape {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Rows of an input channel.
    pub height: usize,
    /// Columns of an input channel.
    pub width: usize,
    /// Size of the kernel.
    pub kernel: [usize; 2],
    /// Distance between the places where the kernel is applied.
    pub stride: [usize; 2],
    /// Zeros before the first row or column, and as many after the last.
    pub padding: [usize; 2],
    /// Distance between the input numbers that neighbours in the kernel see.
    pub dilation: [usize; 2],
    /// Parts into which channels are divided; a part of the output sees only its part of the input.
    pub groups: usize,
}

impl Conv2dShape {
    /// The size of an output channel.
    ///
    /// ```text
    /// floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1
    /// ```
    ///
    /// # Panics
    /// If the sizes do not make a convolution: channels that the groups do not divide, a size of
    /// kernel, stride, dilation or groups that is 0, or a kernel larger than the padded image.
    ///
    /// # Example
    /// ```
    /// use pressrun_kernels::conv::Conv2dShape;
    ///
    /// let shape = Conv2dShape {
    ///     batch: 1, inputs: 1, outputs: 1, height: 28, width: 27,
    ///     kernel: [3, 3], stride: [2, 2], padding: [1, 1], dilation: [1, 1], groups: 1,
    /// };
    /// assert_eq!(shape.output_size(), [14, 14]);
    /// ```
    pub fn output_size(&self) -> [usize; 2] {
        check_common(self.inputs, self.outputs, self.groups);
        check_kernel(self.kernel, self.stride, self.dilation);
        let image = [self.height, self.width];
        std::array::from_fn(|d| {
            let padded = image[d] + 2 * self.padding[d];
            let reach = self.dilation[d] * (self.kernel[d] - 1) + 1;
            assert!(reach <= padded, "convolution: kernel reaches {reach}, padded image {padded}");
            (padded - reach) / self.stride[d] + 1
        })
    }

    /// Numbers of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.inputs * self.height * self.width
    }

    /// Numbers of the weight, `[outputs, inputs / groups, kernel..]`.
    pub fn weight_len(&self) -> usize {
        self.outputs * (self.inputs / self.groups) * self.kernel[0] * self.kernel[1]
    }

    /// Numbers of the output.
    ///
    /// # Panics
    /// As [`Conv2dShape::output_size`].
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output_size();
        self.batch * self.outputs * height * width
    }
}

/// The sizes of a two-dimensional transposed convolution; pairs are vertical, horizontal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvTranspose2dShape {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Rows of an input channel.
    pub height: usize,
    /// Columns of an input channel.
    pub width: usize,
    /// Size of the kernel.
    pub kernel: [usize; 2],
    /// Distance in the output between the places of neighbours in the input.
    pub stride: [usize; 2],
    /// Rows or columns that are cut off on every side of the output.
    pub padding: [usize; 2],
    /// Rows or columns that are added at the end of the output.
    pub output_padding: [usize; 2],
    /// Distance in the output between the places of neighbours in the kernel.
    pub dilation: [usize; 2],
    /// Parts into which channels are divided.
    pub groups: usize,
}

impl ConvTranspose2dShape {
    /// The size of an output channel.
    ///
    /// ```text
    /// (size - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output padding
    /// ```
    ///
    /// # Panics
    /// If the sizes do not make a transposed convolution: channels that the groups do not divide, a
    /// size of image, kernel, stride, dilation or groups that is 0, an output padding that is not
    /// less than stride or dilation, or more padding than output.
    pub fn output_size(&self) -> [usize; 2] {
        check_common(self.inputs, self.outputs, self.groups);
        check_kernel(self.kernel, self.stride, self.dilation);
        let image = [self.height, self.width];
        std::array::from_fn(|d| {
            let (extra, most) = (self.output_padding[d], self.stride[d].max(self.dilation[d]));
            assert!(
                extra < most,
                "transposed convolution: output padding {extra} not below {most}"
            );
            assert!(image[d] > 0, "transposed convolution: an image of size 0");
            let reach = self.dilation[d] * (self.kernel[d] - 1) + 1;
            let full = (image[d] - 1) * self.stride[d] + reach + extra;
            let cut = 2 * self.padding[d];
            assert!(cut <= full, "transposed convolution: padding cuts {cut} of {full}");
            full - cut
        })
    }

    /// Numbers of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.inputs * self.height * self.width
    }

    /// Numbers of the weight, `[inputs, outputs / groups, kernel..]`.
    pub fn weight_len(&self) -> usize {
        self.inputs * (self.outputs / self.groups) * self.kernel[0] * self.kernel[1]
    }

    /// Numbers of the output.
    ///
    /// # Panics
    /// As [`ConvTranspose2dShape::output_size`].
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output_size();
        self.batch * self.outputs * height * width
    }

    /// The convolution whose input gradient this is.
    pub(super) fn geometry(&self) -> Geometry {
        let [height, width] = self.output_size();
        let conv = Conv2dShape {
            batch: self.batch,
            inputs: self.outputs,
            outputs: self.inputs,
            height,
            width,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            groups: self.groups,
        };
        Geometry { conv, out: [self.height, self.width] }
    }
}

/// A convolution and the size of its output, which may be less than what its sizes allow: a
/// transposed convolution with an output padding of a stride or more mirrors such a one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    pub(super) conv: Conv2dShape,
    pub(super) out: [usize; 2],
}

impl Geometry {
    pub(super) fn new(conv: Conv2dShape) -> Self {
        Self { conv, out: conv.output_size() }
    }

    /// Input channels of a group.
    pub(super) fn inputs(&self) -> usize {
        self.conv.inputs / self.conv.groups
    }

    /// Output channels of a group.
    pub(super) fn outputs(&self) -> usize {
        self.conv.outputs / self.conv.groups
    }

    /// Numbers of the kernel of one pair of channels.
    pub(super) fn taps(&self) -> usize {
        self.conv.kernel[0] * self.conv.kernel[1]
    }

    /// Multiplications of the forward pass.
    pub(super) fn work(&self) -> usize {
        let pixels = self.conv.batch * self.out[0] * self.out[1];
        pixels * self.conv.outputs * self.inputs() * self.taps()
    }

    /// The places of a kernel: row and column, and how far from the first in the padded image.
    pub(super) fn places(&self) -> impl Iterator<Item = ([usize; 2], [usize; 2])> + Clone + use<> {
        let Conv2dShape { kernel, dilation, .. } = self.conv;
        (0..kernel[0] * kernel[1]).map(move |tap| {
            let at = [tap / kernel[1], tap % kernel[1]];
            (at, [at[0] * dilation[0], at[1] * dilation[1]])
        })
    }
}

fn check_common(inputs: usize, outputs: usize, groups: usize) {
    assert!(groups > 0, "convolution: 0 groups");
    assert!(
        inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups),
        "convolution: {groups} groups do not divide {inputs} inputs and {outputs} outputs"
    );
}

fn check_kernel(kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2]) {
    let all = kernel.iter().chain(&stride).chain(&dilation);
    assert!(
        all.copied().min() > Some(0),
        "convolution: a 0 in kernel {kernel:?}, stride {stride:?} or dilation {dilation:?}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Conv2dShape = Conv2dShape {
        batch: 2,
        inputs: 4,
        outputs: 6,
        height: 9,
        width: 7,
        kernel: [3, 2],
        stride: [2, 1],
        padding: [1, 0],
        dilation: [2, 3],
        groups: 2,
    };

    #[test]
    fn sizes_are_those_of_the_definition() {
        assert_eq!(SHAPE.output_size(), [4, 4]);
        assert_eq!((SHAPE.input_len(), SHAPE.weight_len(), SHAPE.output_len()), (504, 72, 192));
    }

    #[test]
    #[should_panic(expected = "kernel reaches 10, padded image 7")]
    fn the_kernel_must_fit() {
        Conv2dShape { dilation: [1, 9], ..SHAPE }.output_size();
    }

    #[test]
    #[should_panic(expected = "4 groups do not divide 4 inputs and 6 outputs")]
    fn groups_divide_the_channels() {
        Conv2dShape { groups: 4, ..SHAPE }.output_size();
    }

    #[test]
    #[should_panic(expected = "a 0 in kernel")]
    fn a_stride_is_not_zero() {
        Conv2dShape { stride: [0, 1], ..SHAPE }.output_size();
    }
}
