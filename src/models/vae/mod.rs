//! Variational autoencoders of calorimeter images (S. Diefenbacher's deck of October 2019, which became the BIB-AE of
//! arXiv:2005.05334): a default one, one with losses on pooled pixels, one whose reconstructions a critic judges, and one
//! that takes the energy wanted.
//!
//! Showers are summed along the beam, all layers or (as a later variant did) blocks of them, then their logarithm is taken.
//! The deck gives losses; the sizes are choices. Each loss has its weight in the configuration, and the four names are four
//! settings of it.

mod config;
mod networks;
mod terms;

pub use config::Config;

use super::schedule::{epochs, rate};
use super::{
    Build, Family, LatentSpace, Preprocess, Preset, Progress, Step, System, Turn, require,
};
use crate::Result;
use crate::losses::{self, PenaltyNorm};
use crate::nn::{Mode, Net, Network};
use crate::ops::Optimizer;
use crate::tape::Var;
use networks::Code;
use terms::{Pair, Term};

/// Streams of random numbers.
const NOISE: u32 = 0;
const INTERPOLATION: u32 = 1;

const AUTOENCODER: usize = 0;

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct Vae {
    name: &'static str,
    config: Config,
}

impl Family for Vae {
    type Config = Config;

    fn preset(name: &'static str, preset: Preset) -> Config {
        config::preset(name, preset)
    }

    fn new(name: &'static str, config: Config) -> Result<Self> {
        require(
            config.shape[0] > 0,
            "shape must have a layer: [layers, rows, columns]",
        )?;
        require(config.latent > 0, "latent must be at least 1")?;
        require(!config.rates.is_empty(), "rates must not be empty")?;
        let critic = config.adversary.as_ref();
        require(
            critic.is_none_or(|a| !a.rates.is_empty() && a.steps > 0),
            "adversary.rates must not be empty, and adversary.steps at least 1",
        )?;
        let convs = critic.map_or(&[][..], |a| &a.convs);
        require(
            config
                .networks
                .convs
                .iter()
                .chain(convs)
                .all(|c| c.stride > 0),
            "strides must be at least 1",
        )?;
        require(
            config.conditional || config.losses.energy_prediction == 0.0,
            "losses.energy_prediction needs conditional",
        )?;
        Ok(Self { name, config })
    }
}

impl Vae {
    /// Incident energy as networks see it, of a conditional model.
    fn energy<'t>(&self, build: &Build<'t>) -> Option<Var<'t>> {
        let label = || build.energy() * (1.0 / self.config.energy_scale);
        self.config.conditional.then(label)
    }

    /// Code and reconstruction of `real`.
    fn reconstruct<'t>(
        &self,
        build: &Build<'t>,
        real: Var<'t>,
        mode: Mode,
    ) -> (Net<'t>, Code<'t>, Var<'t>) {
        let encoder = build.net("encoder", mode);
        let code = self.encode(&encoder, real, self.energy(build));
        let noise = build.normal(NOISE, &[self.config.latent, build.batch()]);
        let latent = code.mean + (code.log_variance * 0.5).exp() * noise;
        let made = self.decode(&build.net("decoder", mode), latent, code.energy);
        (encoder, code, made)
    }

    /// The weight of the divergence at this step, 0 to 1, which grows with every step of the autoencoder.
    fn warm_up<'t>(&self, net: &Net<'t>) -> Option<Var<'t>> {
        let steps = self.config.losses.kld_warm_up;
        (steps > 0).then(|| {
            let (done, state) = net.statistic("kld.ramp", &[1], 0.0);
            if let Some(state) = state.filter(|_| net.mode == Mode::Train) {
                net.tape()
                    .store(&state, (done + 1.0 / steps as f32).detach());
            }
            done.clamp(0.0, 1.0).reshape(&[]).detach()
        })
    }

    fn autoencoder<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let (real, energy) = (build.real(&self.config.preprocess), self.energy(build));
        let (encoder, code, made) = self.reconstruct(build, real, Mode::Train);
        let seen = Pair { real, made };
        let cells = Pair {
            real: build.showers(),
            made: self.config.preprocess.backward(made, build.energy()),
        };
        let weights = &self.config.losses;
        let mut terms: Vec<Term<'t>> = weights.compare(seen, cells);
        if let (Some(predicted), Some(energy)) = (code.energy, energy) {
            let error = losses::mse(predicted, energy);
            terms.push(("energy_prediction", weights.energy_prediction, error));
        }
        if let Some(a) = &self.config.adversary {
            let critic = build.net("critic", Mode::Serve);
            let value = self.judge(&critic, real, made, energy).mean_all();
            terms.push(("critic_value", -a.weight, value));
        }
        let divergence = losses::kld(code.mean, code.log_variance);
        let mut sum = divergence * weights.kld;
        if let Some(share) = self.warm_up(&encoder) {
            sum = sum * share;
        }
        for (_, weight, value) in &terms {
            sum = sum + *value * *weight;
        }
        let mut all = vec![("vae", sum), ("kld", divergence)];
        all.extend(terms.into_iter().map(|(name, _, value)| (name, value)));
        all
    }

    fn critic<'t>(&self, build: &Build<'t>, penalty: f32) -> Vec<(&'static str, Var<'t>)> {
        let (real, energy) = (build.real(&self.config.preprocess), self.energy(build));
        let fake = self.reconstruct(build, real, Mode::Serve).2.detach();
        let net = build.net("critic", Mode::Train);
        let [loss, estimate, steepness] = losses::wasserstein_critic(
            |candidate| self.judge(&net, real, candidate, energy),
            [real, fake],
            build.uniform(INTERPOLATION, &[1, 1, 1, build.batch()]),
            (penalty, PenaltyNorm::PerShower),
        );
        vec![
            ("critic", loss),
            ("wasserstein", estimate),
            ("penalty", steepness),
        ]
    }
}

impl System for Vae {
    fn name(&self) -> &'static str {
        self.name
    }

    fn config(&self) -> serde_json::Value {
        crate::models::settings(&self.config)
    }

    fn preprocess(&self) -> Option<&Preprocess> {
        Some(&self.config.preprocess)
    }

    fn shape(&self) -> [usize; 3] {
        self.config.shape
    }

    fn conditions(&self) -> Vec<String> {
        vec!["energy".into()]
    }

    fn networks(&self) -> Result<Vec<Network>> {
        const N: usize = 2;
        fn energy_input<'t>(vae: &Vae, net: &Net<'t>) -> Option<Var<'t>> {
            let input = || net.tape().input("energy", &[1, N]);
            vae.config.conditional.then(input)
        }
        let [z, x, y] = self.config.shape;
        let mut all = vec![
            Network::declare("encoder", |net| {
                let energy = energy_input(self, net);
                self.encode(net, net.tape().input("x", &[z, x, y, N]), energy);
                self.warm_up(net);
            })?,
            Network::declare("decoder", |net| {
                let latent = net.tape().input("latent", &[self.config.latent, N]);
                let energy = energy_input(self, net);
                self.decode(net, latent, energy).reshape(&[z, x, y, N]);
            })?,
        ];
        if self.config.adversary.is_some() {
            all.push(Network::declare("critic", |net| {
                let image = net.tape().input("x", &[z, x, y, N]);
                let energy = energy_input(self, net);
                self.judge(net, image, image, energy);
            })?);
        }
        Ok(all)
    }

    fn kept(&self) -> Vec<&'static str> {
        vec!["decoder"]
    }

    fn steps(&self) -> Vec<Step> {
        let [beta1, beta2] = self.config.betas;
        let step = |name, networks| Step {
            name,
            networks,
            optimizer: Optimizer::adam(beta1, beta2),
        };
        let mut steps = vec![step("vae", vec!["encoder", "decoder"])];
        if self.config.adversary.is_some() {
            steps.push(step("critic", vec!["critic"]));
        }
        steps
    }

    fn schedule(&self, at: Progress) -> Vec<Turn> {
        if let Some(a) = &self.config.adversary
            && at.iteration % (a.steps + 1) != a.steps
        {
            return vec![Turn {
                step: AUTOENCODER + 1,
                learning_rate: rate(&a.rates, at.share),
            }];
        }
        vec![Turn {
            step: AUTOENCODER,
            learning_rate: rate(&self.config.rates, at.share),
        }]
    }

    fn epochs(&self) -> f64 {
        epochs(&self.config.rates)
    }

    fn batch(&self) -> usize {
        self.config.batch
    }

    fn average(&self) -> f32 {
        self.config.average
    }

    fn losses<'t>(&self, step: usize, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        match &self.config.adversary {
            Some(a) if step != AUTOENCODER => self.critic(build, a.penalty),
            _ => self.autoencoder(build),
        }
    }

    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        self.decode_codes(build, self.draw_codes(build))
    }

    fn latent(&self) -> Option<&dyn LatentSpace> {
        Some(self)
    }
}

impl LatentSpace for Vae {
    fn code_length(&self) -> usize {
        self.config.latent
    }

    fn encode_batch<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let net = build.trained("encoder");
        self.encode(
            &net,
            build.real(&self.config.preprocess),
            self.energy(build),
        )
        .mean
    }

    fn draw_codes<'t>(&self, build: &Build<'t>) -> Var<'t> {
        build.normal(NOISE, &[self.config.latent, build.batch()])
    }

    fn decode_codes<'t>(&self, build: &Build<'t>, codes: Var<'t>) -> Var<'t> {
        let image = self.decode(&build.trained("decoder"), codes, self.energy(build));
        self.config.preprocess.backward(image, build.energy())
    }
}
