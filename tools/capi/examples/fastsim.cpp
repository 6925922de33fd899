// Fast simulation as a Geant4 application does it: a particle that enters the calorimeter is killed, and the hits of a
// generated shower are put where the geometry of tools/geant4 has its cells.
//
//     fastsim WEIGHTS [EVENTS]
//
// In Geant4, `HgcalModel::shower` is the body of G4VFastSimulationModel::DoIt: energy and position come from the G4FastTrack,
// and each hit goes to the sensitive detector through G4FastSimHitMaker::make. Particles are best collected for an event or
// several and generated together, as `showers` does: one at a time leaves most of a GPU idle.
#include "../calogen.hpp"
#include "../../geant4/hgcal.hpp"

#include <cstdio>
#include <cstdlib>
#include <random>

struct Particle {
    double energy_GeV, x_mm, y_mm; // at the front face, z = 0, along +z
};

struct Hit {
    double x_mm, y_mm, z_mm, energy_MeV;
};

class HgcalModel {
  public:
    HgcalModel(const calogen::gpu &gpu, const std::string &weights) : generator_(gpu, weights) {
        if (generator_.shape() != hgcal::shape || generator_.unit() != "MeV")
            throw std::invalid_argument("these weights are of another detector");
        generator_.set_threshold(generator_.recorded_threshold());
    }

    // The hits of each particle. Particles are numbered from `first` on: the same number is the same shower.
    std::vector<std::vector<Hit>> showers(const std::vector<Particle> &particles, std::uint64_t seed, std::uint64_t first) {
        std::vector<float> labels;
        for (const Particle &p : particles)
            labels.insert(labels.end(), {float(p.energy_GeV), float(p.x_mm), float(p.y_mm)});
        const calogen::hits hits = generator_.generate_hits(labels, seed, first);
        std::vector<std::vector<Hit>> found(particles.size());
        for (std::size_t shower = 0; shower < hits.showers(); shower++)
            for (std::size_t h = hits.begin(shower); h < hits.end(shower); h++) {
                const auto [x, y, z] = hgcal::centre(hits.cell(h));
                found[shower].push_back({x, y, z, hits.energy(h)});
            }
        return found;
    }

    // Whether the weights were trained on such particles.
    bool trained_on(const Particle &p) const {
        return generator_.outside({float(p.energy_GeV), float(p.x_mm), float(p.y_mm)}) == 0;
    }

  private:
    calogen::generator generator_;
};

int main(int argc, char **argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: fastsim WEIGHTS [EVENTS]\n");
        return 2;
    }
    const std::size_t events = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 100;
    HgcalModel model(calogen::gpu(), argv[1]);

    std::mt19937 random(1);
    std::uniform_real_distribution<double> position(-15, 15);
    std::vector<Particle> beam;
    for (std::size_t i = 0; i < events; i++) beam.push_back({50, position(random), position(random)});
    std::printf("50 GeV %s what the weights were trained on, 5 TeV %s\n", model.trained_on(beam.at(0)) ? "is" : "is not",
                model.trained_on({5000, 0, 0}) ? "is" : "is not");

    double energy = 0, count = 0, follows = 0, norm = 0, depth = 0;
    const auto showers = model.showers(beam, 7, 0);
    for (std::size_t i = 0; i < events; i++) {
        double sum = 0, x = 0;
        for (const Hit &hit : showers[i]) {
            sum += hit.energy_MeV;
            x += hit.energy_MeV * hit.x_mm;
            depth += hit.energy_MeV * hit.z_mm;
        }
        energy += sum;
        count += double(showers[i].size());
        follows += sum > 0 ? x / sum * beam[i].x_mm : 0;
        norm += beam[i].x_mm * beam[i].x_mm;
    }
    std::printf("%zu electrons of 50 GeV: %.1f MeV in %.1f hits, mean depth %.1f mm, centre of gravity follows x with slope %.2f\n",
                events, energy / double(events), count / double(events), depth / energy, follows / norm);
    // The shower must lie where the particle went: a swapped axis or a wrong cell size does not pass.
    return follows / norm > 0.7 && follows / norm < 1.3 && depth / energy > 20 && depth / energy < 100 ? 0 : 1;
} catch (const std::exception &e) {
    std::fprintf(stderr, "fastsim: %s\n", e.what());
    return 1;
}
