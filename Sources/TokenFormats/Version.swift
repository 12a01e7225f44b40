/// The version of both programs.
package let evertokenVersion = "0.2.0"
