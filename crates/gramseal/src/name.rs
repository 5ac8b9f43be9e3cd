//! Names of servers, in the forms that callers have them.

use std::net::IpAddr;

use pki_types::{InvalidDnsNameError, ServerName};

/// What [`Endpoint::connect`](crate::Endpoint::connect) takes as the name of a server: text (a DNS
/// name or an IP address), an [`IpAddr`] or a [`ServerName`].
pub trait ToServerName {
    /// The name, independent of what it was made from.
    ///
    /// # Errors
    /// If it is neither a DNS name nor an IP address.
    fn to_server_name(&self) -> Result<ServerName<'static>, InvalidDnsNameError>;
}

impl ToServerName for str {
    fn to_server_name(&self) -> Result<ServerName<'static>, InvalidDnsNameError> {
        ServerName::try_from(self).map(|name| name.to_owned())
    }
}

impl ToServerName for String {
    fn to_server_name(&self) -> Result<ServerName<'static>, InvalidDnsNameError> {
        self.as_str().to_server_name()
    }
}

impl ToServerName for IpAddr {
    fn to_server_name(&self) -> Result<ServerName<'static>, InvalidDnsNameError> {
        Ok(ServerName::from(*self))
    }
}

impl ToServerName for ServerName<'_> {
    fn to_server_name(&self) -> Result<ServerName<'static>, InvalidDnsNameError> {
        Ok(self.to_owned())
    }
}

impl<T: ToServerName + ?Sized> ToServerName for &T {
    fn to_server_name(&self) -> Result<ServerName<'static>, InvalidDnsNameError> {
        (**self).to_server_name()
    }
}
