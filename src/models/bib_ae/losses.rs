//! What each kind of step minimises.

use super::{BibAe, INTERPOLATION, LATENT, PRIOR};
use crate::losses::{self, PenaltyNorm};
use crate::models::Build;
use crate::models::post::Post;
use crate::nn::Mode;
use crate::tape::Var;

/// What encoder and decoder make of the showers of a batch.
struct Coded<'t> {
    mu: Var<'t>,
    logvar: Var<'t>,
    /// `[latent, N]`
    z: Var<'t>,
    /// Showers as networks see them.
    decoded: Var<'t>,
}

impl BibAe {
    /// Encodes the batch, draws latent values, noise behind the encoded ones, and decodes them.
    fn code<'t>(&self, build: &Build<'t>, mode: Mode) -> Coded<'t> {
        let c = &self.config;
        let (mu, logvar) = self.encode(build, mode);
        let noise = build.normal(LATENT, &[c.latent, build.batch()]);
        let encoded = mu + noise.slice(0, 0, c.encoded) * (logvar * 0.5).exp();
        let z = if c.latent > c.encoded {
            Var::concat(&[encoded, noise.slice(0, c.encoded, c.latent)], 0)
        } else {
            encoded
        };
        // The post processor learns from what it will see.
        let net = match mode {
            Mode::Infer => build.trained("decoder"),
            _ => build.net("decoder", mode),
        };
        let prior = c.prior.as_ref().filter(|_| c.decoder.observables);
        let observed = prior.and_then(|p| p.model.observed(build, build.showers()));
        let decoded = self.decoder(&net, z, self.condition(build, observed));
        Coded {
            mu,
            logvar,
            z,
            decoded,
        }
    }

    /// `name` learns to tell showers beside themselves from decoded ones beside the encoded.
    pub(super) fn critic_losses<'t>(
        &self,
        name: &'static str,
        build: &Build<'t>,
    ) -> Vec<(&'static str, Var<'t>)> {
        let (real, energy) = (build.real(&self.config.preprocess), self.energy(build));
        let fake = self.code(build, Mode::Serve).decoded.detach();
        let net = build.net(name, Mode::Train);
        let estimate = self.critic(&net, real, real, energy).mean_all()
            - self.critic(&net, real, fake, energy).mean_all();
        let [z, x, y] = self.config.shape;
        let shape = [1, z, x, y, build.batch()];
        let share = build.uniform(INTERPOLATION, &[1, 1, 1, build.batch()]);
        let between = (fake + share * (real - fake)).reshape(&shape);
        let penalty = losses::gradient_penalty(
            Var::concat(&[real.reshape(&shape), between], 0),
            |pair| self.critic_of_pair(&net, pair, energy),
            PenaltyNorm::PerShower,
        );
        let loss = penalty * self.config.penalty - estimate;
        if name == "critic" {
            vec![
                ("critic", loss),
                ("wasserstein", estimate),
                ("penalty", penalty),
            ]
        } else {
            vec![
                ("twin", loss),
                ("twin_wasserstein", estimate),
                ("twin_penalty", penalty),
            ]
        }
    }

    /// The latent critic learns to tell N(0, 1) from latent values.
    pub(super) fn latent_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let widths = self.latent_widths();
        let fake = self.code(build, Mode::Serve).z.detach();
        let real = build.normal(PRIOR, &fake.shape());
        let net = build.net("latent_critic", Mode::Train);
        let [loss, estimate, penalty] = losses::wasserstein_critic(
            |z| self.latent_critic(&net, widths, z),
            [real, fake],
            build.uniform(INTERPOLATION, &[1, build.batch()]),
            (self.config.penalty, PenaltyNorm::PerShower),
        );
        vec![
            ("latent_critic", loss),
            ("latent_wasserstein", estimate),
            ("latent_penalty", penalty),
        ]
    }

    pub(super) fn latent_widths(&self) -> &[usize] {
        self.config
            .latent_critic
            .as_ref()
            .map_or(&[], |l| &l.widths)
    }

    /// Encoder and decoder learn to please the critics.
    pub(super) fn autoencoder_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let weight = &self.config.loss;
        let (real, energy) = (build.real(&self.config.preprocess), self.energy(build));
        let coded = self.code(build, Mode::Train);
        let kld = losses::kld(coded.mu, coded.logvar);
        // The same cells' difference is noted even where it has no weight: it tells how training goes.
        let mse = losses::mse(coded.decoded, real);
        let mut loss = kld * weight.kld;
        let mut noted = vec![("kld", kld), ("mse", mse)];
        if weight.mse > 0.0 {
            loss = loss + mse * weight.mse;
        }
        for name in self.critics() {
            let net = build.net(name, Mode::Serve);
            let score = self.critic(&net, real, coded.decoded, energy).mean_all();
            loss = loss - score * weight.critic;
        }
        if self.config.latent_critic.is_some() {
            let net = build.net("latent_critic", Mode::Serve);
            let score = self.latent_critic(&net, self.latent_widths(), coded.z);
            loss = loss - score.mean_all() * weight.latent_critic;
        }
        if weight.mmd > 0.0 {
            let prior = build.normal(PRIOR, &coded.z.shape());
            let mmd = losses::mmd_gaussian(coded.z, prior, &weight.mmd_alphas);
            loss = loss + mmd * weight.mmd;
            noted.push(("mmd", mmd));
        }
        noted.insert(0, ("autoencoder", loss));
        noted
    }

    /// The post processor learns from decoded showers.
    pub(super) fn post_losses<'t>(
        &self,
        p: &Post,
        copy: bool,
        build: &Build<'t>,
    ) -> Vec<(&'static str, Var<'t>)> {
        let decoded = self.code(build, Mode::Infer).decoded;
        let real = build.real(&self.config.preprocess);
        p.losses(copy, build, [decoded, real], self.energy(build))
    }
}
