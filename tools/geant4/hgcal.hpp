// Where the cells of detector `hgcal` of simulate.py are. The origin is where the beam axis meets the front face of the first
// absorber, z = 0 along the beam. A test compares the layers with the `layer_z_mm` of a simulated file.
#ifndef CALOGEN_HGCAL_HPP
#define CALOGEN_HGCAL_HPP

#include <array>
#include <cstddef>
#include <cstdint>

namespace hgcal {

constexpr std::array<std::size_t, 3> shape{7, 12, 15}; // layers, cells in x, cells in y
constexpr double cell_mm = 10;
constexpr std::array<double, 7> layer_z_mm{18.670, 33.478, 50.038, 68.350, 88.414, 111.982, 142.558};

struct Point {
    double x_mm, y_mm, z_mm;
};

// Centre of the cell with the index (z * X + x) * Y + y.
constexpr Point centre(std::uint32_t cell) {
    const auto [layers, nx, ny] = shape;
    (void)layers;
    const double x = double(cell / ny % nx), y = double(cell % ny);
    return {(x + 0.5 - double(nx) / 2) * cell_mm, (y + 0.5 - double(ny) / 2) * cell_mm, layer_z_mm[cell / (nx * ny)]};
}

} // namespace hgcal

#endif
