//! client_certificate_type and server_certificate_type.

use super::Extension;
use crate::codec::{Codec, DecodeError, List, Reader, Writer};
use crate::registry::{CertificateType, ExtensionType};

/// Forms of client certificate the client can send (RFC 7250 §3).
///
/// ```text
/// struct {
///     CertificateType client_certificate_types<1..2^8-1>;
/// } ClientCertTypeExtension;      /* ClientHello */
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCertificateTypeOffer<'a> {
    /// The client's favourite first.
    pub types: List<'a, CertificateType>,
}

impl<'a> Codec<'a> for ClientCertificateTypeOffer<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { types: List::read8(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.types.write8(w);
    }
}

impl<'a> Extension<'a> for ClientCertificateTypeOffer<'a> {
    const TYPE: ExtensionType = ExtensionType::CLIENT_CERTIFICATE_TYPE;
}

/// The form of client certificate the server chose (RFC 7250 §3).
///
/// ```text
/// struct {
///     CertificateType client_certificate_type;
/// } ClientCertTypeExtension;      /* ServerHello, EncryptedExtensions */
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCertificateTypeChoice(pub CertificateType);

impl<'a> Codec<'a> for ClientCertificateTypeChoice {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Codec::read(r).map(Self)
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.0.write(w);
    }
}

impl<'a> Extension<'a> for ClientCertificateTypeChoice {
    const TYPE: ExtensionType = ExtensionType::CLIENT_CERTIFICATE_TYPE;
}

/// Forms of server certificate the client can check (RFC 7250 §3).
///
/// ```text
/// struct {
///     CertificateType server_certificate_types<1..2^8-1>;
/// } ServerCertTypeExtension;      /* ClientHello */
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerCertificateTypeOffer<'a> {
    /// The client's favourite first.
    pub types: List<'a, CertificateType>,
}

impl<'a> Codec<'a> for ServerCertificateTypeOffer<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { types: List::read8(r)? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.types.write8(w);
    }
}

impl<'a> Extension<'a> for ServerCertificateTypeOffer<'a> {
    const TYPE: ExtensionType = ExtensionType::SERVER_CERTIFICATE_TYPE;
}

/// The form of server certificate the server chose (RFC 7250 §3).
///
/// ```text
/// struct {
///     CertificateType server_certificate_type;
/// } ServerCertTypeExtension;      /* ServerHello, EncryptedExtensions */
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerCertificateTypeChoice(pub CertificateType);

impl<'a> Codec<'a> for ServerCertificateTypeChoice {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Codec::read(r).map(Self)
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.0.write(w);
    }
}

impl<'a> Extension<'a> for ServerCertificateTypeChoice {
    const TYPE: ExtensionType = ExtensionType::SERVER_CERTIFICATE_TYPE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let offer = ServerCertificateTypeOffer::from_bytes(&[2, 2, 0]).unwrap();
        assert!(offer.types.iter().eq([CertificateType::RAW_PUBLIC_KEY, CertificateType::X509]));
        assert_eq!(offer.to_vec().unwrap(), [2, 2, 0]);
        assert_eq!(ClientCertificateTypeOffer::from_bytes(&[0]), Err(DecodeError::EmptyVector));
        let choice = ClientCertificateTypeChoice(CertificateType::RAW_PUBLIC_KEY);
        assert_eq!(choice.to_vec().unwrap(), [2]);
        assert_eq!(ClientCertificateTypeChoice::from_bytes(&[2]), Ok(choice));
        assert_eq!(ServerCertificateTypeChoice::from_bytes(&[7]).unwrap().0, CertificateType(7));
    }
}
