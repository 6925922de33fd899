/* calogen for C++17: the functions of calogen.h with handles that free themselves and exceptions for errors. */
#ifndef CALOGEN_HPP
#define CALOGEN_HPP

#include "calogen.h"

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace calogen {

/* What went wrong; what() says it in words. */
class error : public std::runtime_error {
  public:
    explicit error(const calogen_error &e) : std::runtime_error(e.message), status(e.status) {}
    const calogen_status status;
};

namespace detail {
template <class... Parameters, class... Arguments>
void call(calogen_status (*function)(Parameters...), Arguments... arguments) {
    calogen_error e;
    if (function(arguments..., &e) != CALOGEN_OK) throw error(e);
}
struct release {
    void operator()(calogen_gpu *p) const { calogen_gpu_free(p); }
    void operator()(calogen_generator *p) const { calogen_generator_free(p); }
    void operator()(calogen_hits *p) const { calogen_hits_free(p); }
};
inline void require(calogen_status status, const char *what) {
    if (status != CALOGEN_OK) throw std::invalid_argument(what);
}
} // namespace detail

/* Showers as lists of hits. */
class hits {
  public:
    explicit hits(calogen_hits *handle) : handle_(handle) {}
    std::size_t showers() const { return calogen_hits_showers(handle_.get()); }
    std::size_t begin(std::size_t shower) const { return calogen_hits_offsets(handle_.get())[shower]; }
    std::size_t end(std::size_t shower) const { return calogen_hits_offsets(handle_.get())[shower + 1]; }
    std::uint32_t cell(std::size_t hit) const { return calogen_hits_cells(handle_.get())[hit]; }
    float energy(std::size_t hit) const { return calogen_hits_energies(handle_.get())[hit]; }

  private:
    std::unique_ptr<calogen_hits, detail::release> handle_;
};

/* An open device, shared by its generators. */
class gpu {
  public:
    explicit gpu(const char *name = nullptr) {
        calogen_gpu *handle;
        detail::call(calogen_gpu_open, name, &handle);
        handle_.reset(handle, detail::release());
    }
    std::string name() const { return calogen_gpu_name(handle_.get()); }
    calogen_gpu *handle() const { return handle_.get(); }

  private:
    std::shared_ptr<calogen_gpu> handle_;
};

/* Weights on a device. Labels are [events][labels()], the incident energy in GeV first. */
class generator {
  public:
    generator(const gpu &device, const std::string &path) {
        calogen_generator *handle;
        detail::call(calogen_generator_load, device.handle(), path.c_str(), &handle);
        handle_.reset(handle);
    }
    generator(const gpu &device, const std::vector<std::uint8_t> &bytes) {
        calogen_generator *handle;
        detail::call(calogen_generator_load_bytes, device.handle(), bytes.data(), bytes.size(), &handle);
        handle_.reset(handle);
    }

    std::string unit() const { return calogen_generator_unit(handle()); }
    std::string hash() const { return calogen_generator_hash(handle()); }
    std::size_t labels() const { return calogen_generator_labels(handle()); }
    std::size_t cells() const { return calogen_generator_cells(handle()); }
    std::array<std::size_t, 3> shape() const {
        std::array<std::size_t, 3> shape{};
        detail::require(calogen_generator_shape(handle(), shape.data()), "shape");
        return shape;
    }
    std::array<float, 2> cell_size_mm() const {
        std::array<float, 2> size{};
        detail::require(calogen_generator_cell_size(handle(), size.data()), "the weights record no size of a cell");
        return size;
    }
    float recorded_threshold() const { return calogen_generator_recorded_threshold(handle()); }
    void set_threshold(float threshold) {
        detail::require(calogen_generator_set_threshold(handle(), threshold), "a threshold is at least 0");
    }
    void set_batch(std::size_t batch) {
        detail::require(calogen_generator_set_batch(handle(), batch), "a batch is at least 1");
    }

    std::vector<float> draw_labels(const std::vector<float> &energies, std::uint64_t seed, std::uint64_t first_event = 0) const {
        std::vector<float> drawn(energies.size() * labels());
        detail::call(calogen_generator_draw_labels, handle(), energies.data(), energies.size(), seed, first_event, drawn.data());
        return drawn;
    }
    /* How many of the labels lie outside the range of the training data. */
    std::size_t outside(const std::vector<float> &rows) const {
        return calogen_generator_outside(handle(), rows.data(), events(rows));
    }
    /* [events][Z][X][Y] */
    std::vector<float> generate(const std::vector<float> &rows, std::uint64_t seed, std::uint64_t first_event = 0) {
        std::vector<float> showers(events(rows) * cells());
        detail::call(calogen_generate, handle(), rows.data(), events(rows), seed, first_event, showers.data(), showers.size());
        return showers;
    }
    calogen::hits generate_hits(const std::vector<float> &rows, std::uint64_t seed, std::uint64_t first_event = 0) {
        calogen_hits *found;
        detail::call(calogen_generate_hits, handle(), rows.data(), events(rows), seed, first_event, &found);
        return calogen::hits(found);
    }
    calogen_generator *handle() const { return handle_.get(); }

  private:
    std::size_t events(const std::vector<float> &rows) const {
        if (rows.size() % labels() != 0) throw std::invalid_argument("rows of labels are incomplete");
        return rows.size() / labels();
    }
    std::unique_ptr<calogen_generator, detail::release> handle_;
};

} // namespace calogen

#endif
